//! The loop: a listener, its clients, and one Redis connection that is both asked and listened to.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use redwire_mio::redwire::command::{publish, subscribe};
use redwire_mio::redwire::connection::{CloseReason, Config, Event, Ticket};
use redwire_mio::redwire::resp::Protocol;
use redwire_mio::redwire::url::Url;
use redwire_mio::{Address, Backoff, Client, Options};

use crate::limit::Limit;
use crate::log;
use crate::member::{LINE_LIMIT, Line, Member, Pending};

/// What is said is published here, by this room and by whoever likes to.
const CHANNEL: &str = "redwire-chat";

const LISTENER: Token = Token(0);
const REDIS: Token = Token(1);
const FIRST_MEMBER: usize = 2;
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

const MEMBERS_LIMIT: usize = 1000;
/// Larger messages are left out.
const MESSAGE_LIMIT: usize = 32 << 10;
/// Whoever has more than this in a turn of the loop goes on in the next.
const EVENTS_IN_A_TURN: usize = 256;
const ACCEPTS_IN_A_TURN: usize = 64;

pub(crate) struct Room {
    poll: Poll,
    listener: TcpListener,
    /// When to accept without an event of the listener.
    accept_at: Option<Instant>,
    redis: Client,
    subscription: Ticket,
    /// Redis is there.
    online: bool,
    /// It has been there before.
    settled: bool,
    /// How many attempts to reach Redis have failed, as far as that was logged.
    failed: u32,
    limit: Limit,
    members: HashMap<Token, Member>,
    /// Tokens are not used twice: what is late for one client cannot reach the next.
    next_token: usize,
    /// Who can go on without an event.
    awake: HashSet<Token>,
    /// Whose line a reply is about.
    due: HashMap<Ticket, Token>,
}

/// What came of a question to Redis.
enum Answer {
    Number(u64),
    /// It was not done.
    Refused(String),
    /// Nobody knows whether it was done.
    Lost,
}

impl Room {
    /// Listens, and begins to connect to Redis; the room is there also while Redis is not.
    pub(crate) fn open(address: SocketAddr, url: &Url, limit: Limit) -> Result<Self, Box<dyn Error>> {
        let now = Instant::now();
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;

        // Commands on a connection that is subscribed need RESP3. Under RESP2 it would take a second connection: this
        // room does without, and without servers older than Redis 6.0.
        let config = Config::from(url)
            .protocol(Protocol::Resp3)
            .fallback(false)
            .client_name(client_name())
            .command_timeout(Duration::from_secs(5))
            .health_check(Duration::from_secs(10));
        let options = Options::default()
            .connect_timeout(Duration::from_secs(5))
            .backoff(Backoff::new(Duration::from_millis(50), Duration::from_secs(2)))
            .queue_limit(1 << 20)
            .receive_limit(MESSAGE_LIMIT);
        let mut redis = Client::with_options(now, Address::of(&url.endpoint)?, config, options);
        poll.registry().register(&mut redis, REDIS, BOTH)?;
        let subscription = redis.send(now, &subscribe(CHANNEL))?;

        Ok(Room {
            poll,
            listener,
            accept_at: Some(now),
            redis,
            subscription,
            online: false,
            settled: false,
            failed: 0,
            limit,
            members: HashMap::new(),
            next_token: FIRST_MEMBER,
            awake: HashSet::new(),
            due: HashMap::new(),
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for ever, unless Redis refuses the room from the start, or the system does.
    pub(crate) fn run(&mut self) -> Result<Infallible, Box<dyn Error>> {
        let mut events = Events::with_capacity(EVENTS_IN_A_TURN);
        loop {
            match self.poll.poll(&mut events, self.timeout(Instant::now())) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            let now = Instant::now();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept_at = Some(now),
                    REDIS => self.redis.on_event(event),
                    token => {
                        if let Some(member) = self.members.get_mut(&token) {
                            member.on_event(event);
                            self.awake.insert(token);
                        }
                    }
                }
            }
            self.redis.handle_timeout(now);
            self.accept(now);
            for token in std::mem::take(&mut self.awake) {
                self.hear(now, token);
            }
            self.take_events(now)?;
            self.members.values_mut().for_each(Member::flush);
            self.sweep();
        }
    }

    /// How long there is nothing to do without an event.
    fn timeout(&self, now: Instant) -> Option<Duration> {
        if !self.awake.is_empty() || !self.redis.is_drained() {
            return Some(Duration::ZERO);
        }
        let accept = self.accept_at.map(|at| at.saturating_duration_since(now));
        self.redis.timeout(now).into_iter().chain(accept).min()
    }

    fn accept(&mut self, now: Instant) {
        if self.accept_at.is_none_or(|at| now < at) {
            return;
        }
        for _ in 0..ACCEPTS_IN_A_TURN {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        self.accept_at = None;
                        return;
                    }
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    // No descriptors left, say: who waits is not announced again.
                    _ => {
                        log(&format!("cannot accept: {error}"));
                        self.accept_at = Some(now + Duration::from_millis(100));
                        return;
                    }
                },
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream) {
        if self.members.len() >= MEMBERS_LIMIT {
            // It fits into the buffer of a new socket, or else there is nobody to read it.
            let _ = stream.write(b"! the room is full\n");
            return;
        }
        let token = Token(self.next_token);
        let ready =
            stream.set_nodelay(true).and_then(|()| self.poll.registry().register(&mut stream, token, BOTH));
        if let Err(error) = ready {
            log(&format!("cannot admit: {error}"));
            return;
        }
        self.next_token += 1;
        let mut member = Member::new(stream);
        member.say('*', b"what is your name?");
        self.members.insert(token, member);
        self.awake.insert(token);
    }

    /// Reads what a member says, and does something about one line of it.
    fn hear(&mut self, now: Instant, token: Token) {
        let Some(member) = self.members.get_mut(&token) else { return };
        member.fill();
        if member.pending.is_none() {
            match member.next_line() {
                Some(Line::TooLong) => {
                    member.say('!', format!("a line has at most {LINE_LIMIT} bytes").as_bytes());
                }
                Some(Line::Text(line)) if !line.is_empty() => self.heard(now, token, line),
                Some(_) | None => {}
            }
        }
        if self.members.get(&token).is_some_and(Member::is_awake) {
            self.awake.insert(token);
        }
    }

    fn heard(&mut self, now: Instant, token: Token, line: Vec<u8>) {
        let Some(member) = self.members.get_mut(&token) else { return };
        let Some(name) = &member.name else {
            self.name(token, line);
            return;
        };
        if !self.online {
            // It would wait, and nobody knows how long.
            member.say('!', b"not sent: redis is away");
            return;
        }
        match self.limit.ask(&mut self.redis, now, name) {
            Ok(ticket) => {
                member.pending = Some(Pending::Check { ticket, line });
                self.due.insert(ticket, token);
            }
            Err(error) => member.say('!', format!("not sent: {error}").as_bytes()),
        }
    }

    /// The first line of a member is its name.
    fn name(&mut self, token: Token, line: Vec<u8>) {
        let name = String::from_utf8(line).ok().filter(|name| is_name(name));
        let taken = name.is_some() && self.members.values().any(|member| member.name == name);
        let Some(member) = self.members.get_mut(&token) else { return };
        match name {
            None => member.say('!', b"a name has 1 to 20 letters and digits of ASCII; another one?"),
            Some(_) if taken => member.say('!', b"somebody has that name; another one?"),
            Some(name) => {
                member.say('*', format!("welcome, {name}").as_bytes());
                member.say('*', if self.online { THERE } else { AWAY });
                member.name = Some(name);
            }
        }
    }

    fn take_events(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        for _ in 0..EVENTS_IN_A_TURN {
            let Some(event) = self.redis.next_event(now) else { break };
            match event {
                Event::Message(message) => {
                    for member in self.members.values_mut().filter(|member| member.name.is_some()) {
                        member.say('>', message.payload);
                    }
                }
                Event::Reply { ticket, frame } if ticket == self.subscription => {
                    let error = frame.error().map(|error| error.to_string()).unwrap_or_default();
                    return Err(format!("the server refused SUBSCRIBE: {error}").into());
                }
                Event::Reply { ticket, frame } => {
                    let answer = match frame.decode() {
                        Ok(number) => Answer::Number(number),
                        Err(error) => Answer::Refused(error.to_string()),
                    };
                    self.answered(now, ticket, answer);
                }
                Event::Failed { ticket, failure } => {
                    let lost = failure.maybe_executed;
                    let answer = if lost { Answer::Lost } else { Answer::Refused(failure.to_string()) };
                    self.answered(now, ticket, answer);
                }
                Event::Skipped { ticket: None, length } => {
                    self.announce(format!("a message of {length} bytes was left out").as_bytes());
                }
                Event::Skipped { ticket: Some(ticket), .. } => self.answered(now, ticket, Answer::Lost),
                Event::Connected { resubscribed, .. } => {
                    log(&format!("redis is there, {resubscribed} subscriptions back"));
                    (self.online, self.settled) = (true, true);
                    self.announce(THERE);
                }
                Event::Closed { reason, .. } => {
                    let refused = matches!(reason, CloseReason::Refused { .. });
                    let reason = reason.to_string();
                    self.closed(refused, &reason)?;
                }
                _ => {}
            }
        }
        let failed = self.redis.link().attempts_failed();
        if std::mem::replace(&mut self.failed, failed) < failed {
            let error = self.redis.error().map(|error| format!(" ({error})")).unwrap_or_default();
            log(&format!("redis is still away{error}"));
        }
        Ok(())
    }

    /// The answer to the question about somebody's line, who may have left.
    fn answered(&mut self, now: Instant, ticket: Ticket, answer: Answer) {
        let Some(token) = self.due.remove(&ticket) else { return };
        let Some(member) = self.members.get_mut(&token) else { return };
        // There may be a next line.
        self.awake.insert(token);
        let text = match (member.pending.take(), answer) {
            (Some(Pending::Check { line, .. }), Answer::Number(0)) => {
                let name = member.name.as_deref().unwrap_or_default();
                let payload = [name.as_bytes(), b": ", &line].concat();
                match self.redis.send(now, &publish(CHANNEL, payload)) {
                    Ok(ticket) => {
                        member.pending = Some(Pending::Publish { ticket });
                        self.due.insert(ticket, token);
                        return;
                    }
                    Err(error) => format!("not sent: {error}"),
                }
            }
            (Some(Pending::Check { .. }), Answer::Number(wait)) => format!("too fast: wait {wait} ms"),
            // Whatever has become of the question: the line was not published.
            (Some(Pending::Check { .. }), Answer::Lost) => "not sent: redis did not answer".into(),
            (Some(Pending::Publish { .. }), Answer::Lost) => "perhaps not sent: redis did not answer".into(),
            (Some(_), Answer::Refused(reason)) => format!("not sent: {reason}"),
            // The number of subscribers that it has reached.
            (Some(Pending::Publish { .. }), Answer::Number(_)) | (None, _) => return,
        };
        member.say('!', text.as_bytes());
    }

    /// Redis has gone. The client tries again by itself.
    fn closed(&mut self, refused: bool, reason: &str) -> Result<(), Box<dyn Error>> {
        if refused && !self.settled {
            return Err(
                format!("{reason}; the room needs RESP3 (Redis 6.0), and a login that is right").into()
            );
        }
        let error = self.redis.error().map(|error| format!(" ({error})")).unwrap_or_default();
        log(&format!("redis is away: {reason}{error}"));
        if std::mem::take(&mut self.online) {
            self.announce(AWAY);
        }
        Ok(())
    }

    /// Tells everybody.
    fn announce(&mut self, text: &[u8]) {
        for member in self.members.values_mut().filter(|member| member.name.is_some()) {
            member.say('*', text);
        }
    }

    /// Drops those who are gone. Nobody waits for the replies to their lines any more.
    fn sweep(&mut self) {
        self.members.retain(|token, member| {
            let Some(why) = member.gone() else { return true };
            log(&format!("{} is dropped: {why}", member.name.as_deref().unwrap_or("somebody")));
            if let Some(Pending::Check { ticket, .. } | Pending::Publish { ticket }) = member.pending.take() {
                self.due.remove(&ticket);
                self.redis.discard(ticket);
            }
            let _ = self.poll.registry().deregister(&mut member.stream);
            self.awake.remove(token);
            false
        });
    }
}

const THERE: &[u8] = b"redis is there";
const AWAY: &[u8] = b"redis is away; it will be tried again";

/// By which Redis knows the room (CLIENT LIST).
pub(crate) fn client_name() -> String {
    format!("redwire-chat-{}", std::process::id())
}

fn is_name(name: &str) -> bool {
    (1..=20).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
