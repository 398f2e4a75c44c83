//! What the measured programs say to the server, and what they expect it to answer.

use redwire::resp::Parser;
use redwire_embedded_io::prelude::*;

use crate::uart::Uart;

/// A client over one serial line, without a clock.
pub type Redis<P> = Client<'static, Line<Uart>, NoClock, P>;

/// SET, GET, INCR and PUBLISH. False if an answer is not what it should be.
///
/// # Errors
/// [`Error`].
#[inline(always)]
pub fn commands<P: Parser>(redis: &mut Redis<P>) -> Result<bool, Error> {
    redis.set("size:name", "sensor")?;
    let name: &[u8] = redis.get("size:name")?;
    let named = name == b"sensor";
    let boots = redis.incr("size:boots")?;
    let receivers = redis.publish("size:news", "up")?;
    Ok(named && boots == 1 && receivers == 0)
}
