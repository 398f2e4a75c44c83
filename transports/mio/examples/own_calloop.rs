//! `redwire` alone in a loop of calloop, beside a timer that is none of its business.
//!
//!     cargo run -p redwire-mio --example own_calloop [HOST:PORT]
//!
//! What differs from `own_poll`: the stream is registered once, for both directions and for edges, so that no turn has to
//! say whether it waits for room to write. Sources send commands as they like; one turn after each dispatch does the rest.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventLoop, Interest, Mode, PostAction};
use redwire::command::{blpop, del, incr, publish, quit, subscribe};
use redwire::connection::{Buffers, CloseReason, Config, Connection, Event, SendError, SendOptions, Ticket};
use redwire::time::{Duration, Instant};

const TICKS: u32 = 5;

struct App {
    redis: Connection<'static>,
    stream: Rc<TcpStream>,
    /// The last read found something: there may be more, and no edge will say so.
    more: bool,
    /// How the stream ended.
    ended: Option<io::Result<usize>>,
    start: std::time::Instant,
    ticks: u32,
    /// The command of the last tick, and one that will be late.
    last: Option<Ticket>,
    late: Option<Ticket>,
    done: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "localhost:6379".to_string());
    let stream = Rc::new(TcpStream::connect(address)?);
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut event_loop = EventLoop::<App>::try_new()?;
    let sources = event_loop.handle();
    let source = Generic::new(Rc::clone(&stream), Interest::BOTH, Mode::Edge);
    // An event does no more than to end the wait.
    sources.insert_source(source, |_, _, _| Ok(PostAction::Continue))?;
    sources.insert_source(Timer::immediate(), |_, _, app| app.tick())?;

    let patience = Duration::from_secs(2);
    let config = Config::default().handshake_timeout(patience).command_timeout(patience);
    let redis = Connection::new(config, Buffers::growing_to(1 << 20, 1 << 16));
    let start = std::time::Instant::now();
    let (more, ended, done) = (true, None, false);
    let mut app = App { redis, stream, more, ended, start, ticks: 0, last: None, late: None, done };
    app.redis.connected(app.now())?;
    app.redis.send(app.now(), &del("ticks"))?;
    app.redis.send(app.now(), &subscribe("news"))?;
    // The server waits longer for an element than we do for its reply; the connection stays in step all the same.
    let brief = SendOptions::default().timeout(Duration::from_millis(50));
    let late = app.redis.send_with(app.now(), &blpop("nothing", Duration::from_millis(200)), brief)?;
    app.late = Some(late);
    while !app.done {
        event_loop.dispatch(app.timeout(), &mut app)?;
        app.turn()?;
    }
    Ok(())
}

impl App {
    fn now(&self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as u64)
    }

    /// A source of the loop that has something to send. What it sends goes out with the turn after this dispatch.
    fn tick(&mut self) -> TimeoutAction {
        match self.redis.send(self.now(), &incr("ticks")) {
            Ok(ticket) => {
                self.ticks += 1;
                self.last = (self.ticks == TICKS).then_some(ticket);
            }
            // With the next tick, then: replies will have made room.
            Err(SendError::Capacity(_)) => {}
            Err(error) => eprintln!("{error}"),
        }
        if self.ticks < TICKS {
            TimeoutAction::ToDuration(Duration::from_millis(10))
        } else {
            TimeoutAction::Drop
        }
    }

    /// How long the loop may wait until the next turn.
    fn timeout(&self) -> Option<Duration> {
        if self.more || self.ended.is_some() {
            return Some(Duration::ZERO);
        }
        self.redis.poll_timeout().map(|(due, _reason)| due.since(self.now()))
    }

    /// Reads once, takes the events, does what is due, and writes until nothing is left or the stream takes no more.
    fn turn(&mut self) -> Result<(), Box<dyn Error>> {
        match (&*self.stream).read(self.redis.receive_buffer()) {
            Ok(count @ 1..) => {
                self.more = true;
                self.redis.received(self.now(), count);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.more = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => self.more = true,
            end => self.ended = Some(end),
        }
        if self.ended.is_some() {
            self.redis.handle_eof();
        }
        self.take_events()?;
        // What is due comes after the read, and what it brings: a reply that is here is not late.
        self.redis.handle_timeout(self.now());
        self.take_events()?;
        while let (None, Some(bytes)) = (&self.ended, self.redis.poll_transmit()) {
            match (&*self.stream).write(bytes) {
                Ok(count @ 1..) => self.redis.transmitted(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                end => self.ended = Some(end),
            }
        }
        Ok(())
    }

    fn take_events(&mut self) -> Result<(), Box<dyn Error>> {
        while let Some(event) = self.redis.poll_event() {
            match event {
                Event::Reply { frame, .. } if frame.error().is_some() => eprintln!("{:?}", frame.error()),
                Event::Reply { ticket, frame } if Some(ticket) == self.last => {
                    let ticks: u64 = frame.decode().map_err(|error| error.to_string())?;
                    println!("{ticks} ticks");
                    self.redis.send(self.now(), &publish("news", "it works"))?;
                }
                Event::Message(message) => {
                    println!("news: {}", message.payload.escape_ascii());
                    self.redis.send(self.now(), &quit())?;
                }
                Event::Failed { ticket, failure } if Some(ticket) == self.late => println!("late: {failure}"),
                Event::Failed { failure, .. } => eprintln!("{failure}"),
                Event::Closed { reason: CloseReason::Quit, .. } => self.done = true,
                Event::Closed { reason, .. } => return Err(format!("{reason}: {:?}", self.ended).into()),
                _ => {}
            }
        }
        Ok(())
    }
}
