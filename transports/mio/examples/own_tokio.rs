//! `redwire` alone in a task of tokio: the task owns engine and stream, its callers the end of a channel.
//!
//!     cargo run -p redwire-mio --example own_tokio [HOST:PORT]
//!
//! What differs from `own_poll`: callers wait, each for its own reply, so the task keeps what to do with the reply to each
//! ticket. A caller that gives up leaves the connection in step: the reply comes, and goes nowhere.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, ErrorKind};

use redwire::command::{Command, blpop, get, incr, publish, quit, set, subscribe};
use redwire::connection::{Buffers, CloseReason, Config, Connection, Event, SendError, Subscription, Ticket};
use redwire::reply::FromReply;
use redwire::resp::Frame;
use redwire::time;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::{Duration, Instant, sleep_until, timeout};

type Failure = Box<dyn Error + Send + Sync>;

/// A command, and what to do with its reply.
struct Request {
    /// Not once: where there is no room it is sent later.
    send: Sending,
    answer: Answer,
}

type Sending = Box<dyn Fn(&mut Connection<'static>, time::Instant) -> Result<Ticket, SendError> + Send>;
type Answer = Box<dyn FnOnce(Result<Frame<'_>, Failure>) + Send>;

impl Request {
    fn new<C: Command + Send + 'static>(
        command: C,
        answer: impl FnOnce(Result<Frame<'_>, Failure>) + Send + 'static,
    ) -> Self {
        Request { send: Box::new(move |redis, now| redis.send(now, &command)), answer: Box::new(answer) }
    }
}

#[derive(Clone)]
struct Client(mpsc::Sender<Request>);

impl Client {
    async fn call<C, R>(&self, command: C) -> Result<R, Failure>
    where
        C: Command + Send + 'static,
        R: for<'a> FromReply<'a> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let request = Request::new(command, |reply| {
            let decoded =
                reply.and_then(|frame| frame.decode::<R>().map_err(|error| error.to_string().into()));
            // Whoever has given up does not hear of it.
            let _ = sender.send(decoded);
        });
        self.0.send(request).await.map_err(|_| "the connection is over")?;
        receiver.await.map_err(|_| "there is no reply")?
    }
}

struct Task {
    redis: Connection<'static>,
    stream: TcpStream,
    start: Instant,
    requests: mpsc::Receiver<Request>,
    /// A request for which there was no room: no other is taken before it.
    waiting: Option<Request>,
    answers: HashMap<Ticket, Answer>,
    messages: broadcast::Sender<Vec<u8>>,
    more: bool,
    ended: Option<io::Result<usize>>,
}

impl Task {
    fn now(&self) -> time::Instant {
        time::Instant::from_micros(self.start.elapsed().as_micros() as u64)
    }

    async fn run(mut self) -> Result<(), Failure> {
        let mut open = true;
        while self.turn()? {
            let writable = self.redis.poll_transmit().is_some() || self.ended.is_some();
            let interest =
                if writable { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let due = self.redis.poll_timeout();
            let due = due.map(|(due, _reason)| self.start + Duration::from_micros(due.as_micros()));
            tokio::select! {
                ready = self.stream.ready(interest) => drop(ready?),
                // There may be more to read: the others first.
                () = tokio::task::yield_now(), if self.more => {}
                () = sleep_until(due.unwrap_or(self.start)), if due.is_some() => {}
                request = self.requests.recv(), if open && self.waiting.is_none() => {
                    open = request.is_some();
                    self.waiting = request.or_else(|| Some(Request::new(quit(), |_| {})));
                }
            }
        }
        Ok(())
    }

    /// Reads once, takes the events, does what is due, sends, and writes until nothing is left or the stream takes no more.
    /// False when the connection was ended by QUIT.
    fn turn(&mut self) -> Result<bool, Failure> {
        match self.stream.try_read(self.redis.receive_buffer()) {
            Ok(count @ 1..) => {
                self.more = true;
                self.redis.received(self.now(), count);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.more = false,
            end => self.ended = Some(end),
        }
        if self.ended.is_some() {
            self.redis.handle_eof();
        }
        if !self.take_events()? {
            return Ok(false);
        }
        // What is due comes after the read, and what it brings: a reply that is here is not late.
        self.redis.handle_timeout(self.now());
        if !self.take_events()? {
            return Ok(false);
        }
        self.send();
        while let (None, Some(bytes)) = (&self.ended, self.redis.poll_transmit()) {
            match self.stream.try_write(bytes) {
                Ok(count @ 1..) => self.redis.transmitted(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                end => (self.ended, self.more) = (Some(end), true),
            }
        }
        Ok(true)
    }

    /// Sends what there is room for. Requests after it stay in the channel, and who sends more into it waits there.
    fn send(&mut self) {
        let now = self.now();
        while let Some(request) = self.waiting.take().or_else(|| self.requests.try_recv().ok()) {
            match (request.send)(&mut self.redis, now) {
                Ok(ticket) if ticket.is_answered() => drop(self.answers.insert(ticket, request.answer)),
                Ok(_) => {}
                Err(SendError::Capacity(_)) if self.redis.in_flight() > 0 => {
                    self.waiting = Some(request);
                    return;
                }
                Err(error) => (request.answer)(Err(error.into())),
            }
        }
    }

    fn take_events(&mut self) -> Result<bool, Failure> {
        while let Some(event) = self.redis.poll_event() {
            let (ticket, result) = match event {
                Event::Reply { ticket, frame } => (ticket, Ok(frame)),
                Event::Failed { ticket, failure } => (ticket, Err(failure.into())),
                Event::Skipped { ticket: Some(ticket), .. } => (ticket, Err("the reply is too large".into())),
                // These are answered, but not with a reply: who waits is told that none comes.
                Event::Queued { ticket } | Event::Subscription(Subscription { ticket: Some(ticket), .. }) => {
                    self.answers.remove(&ticket);
                    continue;
                }
                Event::Message(message) => {
                    // Nobody may be listening.
                    let _ = self.messages.send(message.payload.to_vec());
                    continue;
                }
                Event::Closed { reason: CloseReason::Quit, .. } => return Ok(false),
                Event::Closed { reason, .. } => return Err(format!("{reason}: {:?}", self.ended).into()),
                _ => continue,
            };
            if let Some(answer) = self.answers.remove(&ticket) {
                answer(result);
            }
        }
        Ok(true)
    }
}

async fn conversation(client: Client, mut news: broadcast::Receiver<Vec<u8>>) -> Result<(), Failure> {
    client.call::<_, ()>(set("greeting", "hello")).await?;
    let greeting: Option<String> = client.call(get("greeting")).await?;
    println!("{greeting:?}");
    // Whoever gives up does not disturb who comes after him.
    let wait = Duration::from_millis(200);
    let nothing = client.call::<_, Option<(String, String)>>(blpop("nothing", wait));
    println!("{}", timeout(wait / 4, nothing).await.is_err());
    // Calls that wait at the same time are a pipeline.
    let (first, second, third) = tokio::join!(
        client.call::<_, u64>(incr("visits")),
        client.call::<_, u64>(incr("visits")),
        client.call::<_, u64>(incr("visits")),
    );
    println!("{} {} {}", first?, second?, third?);
    let listeners: u64 = client.call(publish("news", "it works")).await?;
    println!("{listeners} listening, news: {}", news.recv().await?.escape_ascii());
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "localhost:6379".to_string());
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let patience = Duration::from_secs(2);
    let config = Config::default().handshake_timeout(patience).command_timeout(patience);
    let mut redis = Connection::new(config, Buffers::growing_to(1 << 20, 1 << 16));
    redis.connected(time::Instant::from_micros(0))?;
    redis.send(time::Instant::from_micros(0), &subscribe("news"))?;

    let (sender, requests) = mpsc::channel(64);
    let (messages, news) = broadcast::channel(64);
    let (waiting, answers) = (None, HashMap::new());
    let start = Instant::now();
    let (more, ended) = (false, None);
    let task = Task { redis, stream, start, requests, waiting, answers, messages, more, ended };
    let task = tokio::spawn(task.run());
    let said = conversation(Client(sender), news).await;
    // The channel is closed: the task says goodbye to the server and ends. Why the connection ended says more.
    task.await??;
    said
}
