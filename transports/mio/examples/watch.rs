//! A loop with a Redis connection and a timer of its own: counts seconds in Redis, and prints what is published to `news`.
//!
//!     cargo run -p redwire-mio --example watch [URL]

use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use redwire_mio::Client;
use redwire_mio::redwire::command::{incr, subscribe};
use redwire_mio::redwire::connection::Event;

const REDIS: Token = Token(0);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://localhost".to_string());
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(64);
    let mut redis = Client::open(Instant::now(), &url.parse()?)?;
    poll.registry().register(&mut redis, REDIS, Interest::READABLE | Interest::WRITABLE)?;
    redis.send(Instant::now(), &subscribe("news"))?;
    let mut tick = Instant::now();
    loop {
        let now = Instant::now();
        let until_tick = tick.saturating_duration_since(now);
        let wait = redis.timeout(now).map_or(until_tick, |timeout| timeout.min(until_tick));
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                REDIS => redis.on_event(event),
                other => unreachable!("{other:?} is not registered"),
            }
        }
        let now = Instant::now();
        if now >= tick {
            tick = now + Duration::from_secs(1);
            // Refused while a connection that was lost has events left, or as a RESP2 subscriber.
            if let Err(error) = redis.send(now, &incr("seconds")) {
                println!("not sent: {error}");
            }
        }
        redis.handle_timeout(now);
        while let Some(event) = redis.next_event(now) {
            match event {
                Event::Connected { resubscribed, .. } => {
                    println!("connected, {resubscribed} subscriptions back")
                }
                Event::Reply { frame, .. } => println!("{:?}", frame.decode::<u64>()),
                Event::Message(message) => println!("news: {}", message.payload.escape_ascii()),
                Event::Failed { failure, .. } => println!("no reply: {failure}"),
                Event::Closed { reason, .. } => {
                    let reason = reason.to_string();
                    println!("{reason} ({:?})", redis.error());
                }
                _ => {}
            }
        }
    }
}
