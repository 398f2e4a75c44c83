//! Lua scripts that are sent to the server once.

use redwire::client::{self, Commands};
use redwire::command::{Arguments, Lent, evalsha};
use redwire::reply::FromReply;
use redwire::script::{self, Digest};

use crate::{Client, Error};

/// A Lua script. It is called by its digest; a server that does not have it, or has lost it, is given it on the way.
///
/// ```no_run
/// use redwire_std::prelude::*;
///
/// let client = Client::open("redis://localhost")?;
/// let multiply = Script::new("return redis.call('GET', KEYS[1]) * ARGV[1]");
/// let ten: i64 = multiply.key("foo").arg(5).call(&client)?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Script {
    source: Box<str>,
    digest: Digest,
}

impl Script {
    /// A script with this source.
    pub fn new(source: impl Into<Box<str>>) -> Self {
        let source = source.into();
        Script { digest: Digest::of(source.as_bytes()), source }
    }

    /// The source as it was given, which goes to a server that does not have the script yet.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The SHA-1 digest of the source, by which the server knows the script.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    fn view(&self) -> script::Script<'_> {
        script::Script::new_unchecked(&self.source, self.digest)
    }

    /// A call of the script without keys and arguments.
    pub fn prepare(&self) -> ScriptCall<'_, (), ()> {
        ScriptCall { script: self, keys: (), arguments: () }
    }

    /// A call of the script with a key, or several, which it finds in `KEYS`.
    pub fn key<K: Arguments>(&self, key: K) -> ScriptCall<'_, ((), K), ()> {
        self.prepare().key(key)
    }

    /// A call of the script with an argument, or several, which it finds in `ARGV`.
    pub fn arg<A: Arguments>(&self, argument: A) -> ScriptCall<'_, (), ((), A)> {
        self.prepare().arg(argument)
    }
}

/// A [`Script`] with keys and arguments.
#[derive(Debug, Clone)]
pub struct ScriptCall<'s, K, A> {
    script: &'s Script,
    keys: K,
    arguments: A,
}

impl<'s, K: Arguments, A: Arguments> ScriptCall<'s, K, A> {
    /// Adds a key, or several.
    pub fn key<L: Arguments>(self, key: L) -> ScriptCall<'s, (K, L), A> {
        ScriptCall { script: self.script, keys: (self.keys, key), arguments: self.arguments }
    }

    /// Adds an argument, or several.
    pub fn arg<B: Arguments>(self, argument: B) -> ScriptCall<'s, K, (A, B)> {
        ScriptCall { script: self.script, keys: self.keys, arguments: (self.arguments, argument) }
    }

    /// Calls the script and reads what it returns.
    ///
    /// # Errors
    /// [`Error`]; one that the script raised is the server's.
    pub fn call<R: for<'a> FromReply<'a>>(&self, client: &Client) -> Result<R, Error> {
        let evalsha = evalsha(self.script.digest, Lent(&self.keys), Lent(&self.arguments));
        client.with_link(|link, began| {
            let mut call = client::ScriptCall::new(self.script.view(), &evalsha);
            link.run(began, &mut call)?;
            call.read(link.session()).map_err(|error| link.locate(error))
        })
    }

    /// Adds the call to others.
    pub(crate) fn queue(&self, commands: &mut Commands<'_>) {
        commands.script(&self.script.view(), Lent(&self.keys), Lent(&self.arguments));
    }
}
