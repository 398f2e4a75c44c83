//! What can be written as a command.

use super::ArgumentWriter;
use crate::time::Patience;

/// Something that can be written as a command: a name and arguments. What comes back says
/// [`Command`](crate::command::Command), for those whose reply is read.
///
/// ```
/// use redwire::resp::{ArgumentWriter, Encode, Encoder};
/// use redwire::storage::Buffer;
///
/// /// SELECT of a database.
/// struct Select(u32);
///
/// impl Encode for Select {
///     fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
///         out.bytes(b"SELECT");
///         out.unsigned(self.0.into());
///     }
/// }
///
/// let mut memory = [0; 32];
/// let mut buffer = Buffer::borrowed(&mut memory);
/// // The code that takes it may be the same for all commands.
/// let command: &dyn Encode = &Select(7);
/// Encoder::new(&mut buffer).command(command).unwrap();
/// assert_eq!(buffer.filled(), b"*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n");
/// ```
pub trait Encode {
    /// Writes the name and the arguments, each as a bulk string of its own.
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>);

    /// How long its reply may take. A blocking command says here how long it blocks.
    fn patience(&self) -> Patience {
        Patience::Usual
    }
}

impl<C: Encode + ?Sized> Encode for &C {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        (**self).write_arguments(out);
    }

    fn patience(&self) -> Patience {
        (**self).patience()
    }
}
