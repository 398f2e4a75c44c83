//! What exchanges show through `defmt`: how far they are, and never a command.

use super::{Batch, Call, Commands, Download, FromReplies, Inbox, Queued, ScriptCall, Sent, Session, Upload};

macro_rules! shows {
    ($([$($generics:tt)*] $type:ty, $self:ident => ($($shown:tt)*);)+) => {$(
        impl<$($generics)*> defmt::Format for $type {
            fn format(&self, f: defmt::Formatter<'_>) {
                let $self = self;
                defmt::write!(f, $($shown)*);
            }
        }
    )+};
}

shows! {
    [T: FromReplies] Batch<'_, '_, T>, _batch => ("Batch {{ .. }}");
    [E: ?Sized] Call<'_, E>, _call => ("Call {{ .. }}");
    [] Commands<'_>, commands => ("Commands {{ length: {=usize}, .. }}", commands.len());
    [] Download, _download => ("Download {{ .. }}");
    [] Inbox<'_>, inbox => ("Inbox {{ bytes: {=usize}, lost: {=u64}, .. }}", inbox.len(), inbox.lost());
    [] Queued, queued => ("Queued {{ length: {=usize}, .. }}", queued.len());
    [E: ?Sized] ScriptCall<'_, E>, _call => ("ScriptCall {{ .. }}");
    [P: crate::resp::Parser] Session<'_, P>, session => ("Session {{ engine: {}, .. }}", session.engine());
    [E: ?Sized] Upload<'_, E>, _upload => ("Upload {{ .. }}");
}

#[cfg(feature = "alloc")]
impl defmt::Format for super::KeptScriptCall {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "KeptScriptCall {{ .. }}");
    }
}

impl defmt::Format for Sent {
    fn format(&self, _: defmt::Formatter<'_>) {
        match *self {}
    }
}
