//! Commands as methods of the async client: a future with a name, which the trait for executors needs.

use core::future::Future;
use core::marker::PhantomData;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

use redwire::client::{self, ErrorKind, Exchange};
use redwire::command::{Command, Executor, ExecutorAs, Fixed, Open};
use redwire::connection::SendOptions;
use redwire::reply::FromReply;
use redwire::resp::{Encode, Parser};

use crate::state::Until;
use crate::{AsyncClient, AsyncConnector, Clock, Error};

/// A command that was called as a method of an [`AsyncClient`]; it gives the reply.
///
/// The command stands in the transmit buffer already, and is written when this is polled, which connects if need be and the
/// connector [can](AsyncConnector::RESUMES). If there was no room for it since replies are due that nobody waits for, it
/// fails with [`ErrorKind::Capacity`] and nothing was sent; [`execute`](AsyncClient::execute) waits for room.
///
/// To drop it is to discard the reply, or to take the command back if nothing of it was written.
#[must_use = "a command is sent when its future is awaited"]
pub struct Call<'c, 'b, C: AsyncConnector, K: Clock, P: Parser, R> {
    /// None when the reply was given.
    client: Option<&'c mut AsyncClient<'b, C, K, P>>,
    sent: Result<client::Call<'static, client::Sent>, Error>,
    reply: PhantomData<fn() -> R>,
}

impl<'c, 'b, C: AsyncConnector, K: Clock, P: Parser, R> Call<'c, 'b, C, K, P, R> {
    /// Queues a command; `life` is the number of the connection that it has to go over, if it must be that.
    pub(crate) fn new(
        client: &'c mut AsyncClient<'b, C, K, P>,
        command: &dyn Encode,
        life: Option<u32>,
    ) -> Self {
        const {
            assert!(
                C::CANCEL_SAFE,
                "commands as methods give a read up between two polls, which this connector's streams do not allow: \
                 put the connector into CancelSafe if they do, or use `execute(command)` with this client"
            );
        }
        let sent = client.queue(command, life).map_err(|error| client.state.error(error.about(command)));
        Call { client: Some(client), sent, reply: PhantomData }
    }

    pub(crate) fn failed(error: Error) -> Self {
        Call { client: None, sent: Err(error), reply: PhantomData }
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser> AsyncClient<'_, C, K, P> {
    fn queue(
        &mut self,
        command: &dyn Encode,
        life: Option<u32>,
    ) -> Result<client::Call<'static, client::Sent>, client::Error> {
        let looked = self.look();
        match life {
            Some(life) => looked.and_then(|()| self.state.still(life))?,
            None if self.state.engine().is_idle() && !C::RESUMES => {
                return Err(client::Error::new(ErrorKind::Disconnected));
            }
            None => {}
        }
        let now = self.clock.now();
        let options = SendOptions::new().shared();
        Ok(client::Call::sent(self.state.engine_mut().send_with(now, command, options)?))
    }
}

impl<'c, C: AsyncConnector, K: Clock, P: Parser, R: FromReply<'c>> Future for Call<'c, '_, C, K, P, R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let call = match &mut this.sent {
            Ok(call) => call,
            Err(error) => return Poll::Ready(Err(error.clone())),
        };
        let Some(client) = this.client.take() else {
            return Poll::Ready(
                Err(client::Error::new(ErrorKind::OutOfStep).with_origin(Default::default())),
            );
        };
        // Whatever it has to remember between two polls stands in the client.
        let waited = pin!(client.wait(Until::EndOf(call), None)).poll(context);
        match waited {
            Poll::Pending => {
                this.client = Some(client);
                Poll::Pending
            }
            Poll::Ready(Ok(_)) => {
                Poll::Ready(call.read(&client.state.session).map_err(|error| client.state.error(error)))
            }
            Poll::Ready(Err(error)) => {
                // Where there was no connection to be had it is still queued.
                call.give_up(client.state.engine_mut());
                Poll::Ready(Err(client.state.error(error)))
            }
        }
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser, R> Drop for Call<'_, '_, C, K, P, R> {
    fn drop(&mut self) {
        if let (Some(client), Ok(call)) = (&mut self.client, &mut self.sent) {
            call.give_up(client.state.engine_mut());
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
        Call::new(self, &command, None)
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
        Call::new(self, &command, None)
    }
}
