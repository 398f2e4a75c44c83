//! Commands as methods of the async client: a future with a name, which the trait for executors needs.

use core::future::Future;
use core::marker::PhantomData;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

use redwire::command::{Command, Executor, ExecutorAs, Fixed, Open};
use redwire::connection::{SendOptions, Ticket};
use redwire::reply::FromReply;
use redwire::resp::{Encode, Parser};

use crate::session::Wanted;
use crate::{AsyncClient, AsyncConnector, Clock, Error, ErrorKind};

/// A command that was called as a method of an [`AsyncClient`]; it gives the reply.
///
/// The command stands in the transmit buffer already, and is written when this is polled. If there was no room for it
/// since replies are due that nobody waits for, it fails with [`ErrorKind::Capacity`] and nothing was sent;
/// [`execute`](AsyncClient::execute) waits for room.
///
/// To drop it is to discard the reply, or to take the command back if nothing of it was written.
#[must_use = "a command is sent when its future is awaited"]
pub struct Call<'c, 'b, C: AsyncConnector, K: Clock, P: Parser, R> {
    /// None when the reply was given.
    client: Option<&'c mut AsyncClient<'b, C, K, P>>,
    sent: Result<Ticket, Error>,
    reply: PhantomData<fn() -> R>,
}

impl<'c, 'b, C: AsyncConnector, K: Clock, P: Parser, R> Call<'c, 'b, C, K, P, R> {
    pub(crate) fn new<T: Encode>(client: &'c mut AsyncClient<'b, C, K, P>, command: &T) -> Self {
        const {
            assert!(
                C::CANCEL_SAFE,
                "commands as methods give a read up between two polls, which this connector's streams do not allow: \
                 put the connector into CancelSafe if they do, or use `execute(command)` with this client"
            );
        }
        let sent = client.prepare().and_then(|()| {
            let ticket = client.send(command, SendOptions::default())?;
            client.admit(ticket)
        });
        Call { client: Some(client), sent, reply: PhantomData }
    }

    pub(crate) fn failed(error: Error) -> Self {
        Call { client: None, sent: Err(error), reply: PhantomData }
    }
}

impl<'c, C: AsyncConnector, K: Clock, P: Parser, R: FromReply<'c>> Future for Call<'c, '_, C, K, P, R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ticket = match &self.sent {
            Ok(ticket) => *ticket,
            Err(error) => return Poll::Ready(Err(error.clone())),
        };
        let Some(client) = self.client.take() else {
            return Poll::Ready(Err(Error::new(ErrorKind::NoReply)));
        };
        // Whatever it has to remember between two polls stands in the client.
        let waited = pin!(client.wait(Wanted::Answer(ticket), None)).poll(context);
        match waited {
            Poll::Pending => {
                self.client = Some(client);
                Poll::Pending
            }
            Poll::Ready(Ok(_)) => Poll::Ready(client.session.reply()),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser, R> Drop for Call<'_, '_, C, K, P, R> {
    fn drop(&mut self) {
        if let (Some(client), Ok(ticket)) = (&mut self.client, &self.sent) {
            client.session.engine.discard(*ticket);
        }
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser, R> core::fmt::Debug for Call<'_, '_, C, K, P, R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<C: AsyncConnector, K: Clock, P: Parser, R> defmt::Format for Call<'_, '_, C, K, P, R> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Call {{ .. }}");
    }
}

impl<'c, 'b, C: AsyncConnector, K: Clock, P: Parser> Executor for &'c mut AsyncClient<'b, C, K, P> {
    type Output<R> = Call<'c, 'b, C, K, P, R>;

    fn run<T, R>(self, command: T) -> Self::Output<R>
    where
        T: Command<Reply = Fixed<R>>,
        R: for<'a> FromReply<'a>,
    {
        Call::new(self, &command)
    }
}

impl<'c, C, K, P, R> ExecutorAs<R> for &'c mut AsyncClient<'_, C, K, P>
where
    C: AsyncConnector,
    K: Clock,
    P: Parser,
    R: FromReply<'c>,
{
    fn run_as<T>(self, command: T) -> Self::Output<R>
    where
        T: Command<Reply = Open>,
    {
        Call::new(self, &command)
    }
}
