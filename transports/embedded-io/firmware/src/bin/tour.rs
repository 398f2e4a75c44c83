//! What the client can do, on a board with three serial lines, against a real server. Each line of the log is a result,
//! and `tour.log` has the lines that there should be.
//!
//! Lines 1 and 2 belong to one client: its connector takes the second when the connection over the first is lost. Line 3
//! belongs to another client, which speaks RESP2 and plays the rest of the world.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use defmt::{error, info};
use defmt_semihosting as _;
use redwire::connection::SubscriptionKind;
use redwire::resp::Protocol;
use redwire_embedded_io::prelude::*;
use redwire_firmware::clock::SysTickClock;
use redwire_firmware::corpus::{self, Memory as CorpusMemory};
use redwire_firmware::uart::{Uart, UartNumber};

type Redis = Client<'static, Lines, SysTickClock>;
type Other = Client<'static, Line<Uart>, SysTickClock>;

/// How many bytes the value has that is written in pieces. The one that is read, `tour:large`, is in the server before.
const WRITTEN: usize = 1 << 20;

#[entry]
fn main() -> ! {
    static mut CORPUS: CorpusMemory<8192> = CorpusMemory::new();
    static mut MEMORY: StaticBuffers<512, 512, 8, 64, 128> = StaticBuffers::sized();
    static mut OTHER_MEMORY: StaticBuffers<256, 256, 4, 64, 64> = StaticBuffers::sized();
    let Some(peripherals) = Peripherals::take() else { redwire_firmware::exit(false) };
    let clock = SysTickClock::start(peripherals.SYST);

    let cases = corpus::run(CORPUS);
    info!("decoder: {} cases passed whole and byte by byte", cases.whole);
    info!(
        "decoder: {} cases larger than the memory passed in pieces, {} failed",
        cases.in_pieces, cases.failed
    );

    let config = Config::default()
        .client_name("tour")
        .health_check(Duration::from_millis(300))
        .health_check_timeout(Duration::from_secs(10))
        .command_timeout(Duration::from_secs(60));
    let mut redis = Client::new(Lines { used: 0 }, config, MEMORY.memory(), clock).with_deadlines();
    let config = Config::default().protocol(Protocol::Resp2).database(0);
    // The emulated line is new each time. One that is not takes entropy, or a counter that is kept through resets.
    let line = Line::new(Uart::new(UartNumber::Two), 1);
    let mut other = Client::new(line, config, OTHER_MEMORY.memory(), clock);

    let toured = tour(&mut redis, &mut other);
    if let Err(error) = &toured {
        error!("the tour ends early: {}", error);
    }
    redwire_firmware::exit(toured.is_ok() && cases.failed == 0)
}

fn tour(redis: &mut Redis, other: &mut Other) -> Result<(), Error> {
    handshakes(redis, other)?;
    commands(redis)?;
    errors(redis)?;
    pipeline(redis)?;
    transactions(redis, other)?;
    script(redis, other)?;
    subscription(redis, other)?;
    subscription_under_resp2(redis, other)?;
    large_values(redis)?;
    lost_connection(redis, other)?;
    info!("done");
    Ok(())
}

fn handshakes(redis: &mut Redis, other: &mut Other) -> Result<(), Error> {
    redis.connect()?;
    let line = redis.connector().used;
    info!("connected over line {=u8}: {}", line, redis.connection().protocol());
    other.connect()?;
    info!("connected over line 3: {}", other.connection().protocol());
    let name: &str = redis.client_getname()?;
    info!("CLIENT GETNAME: {=str}", name);
    Ok(())
}

fn commands(redis: &mut Redis) -> Result<(), Error> {
    redis.set("tour:name", "sensor 7")?;
    let name: heapless::String<16> = redis.get("tour:name")?;
    info!("GET tour:name: {=str}", name.as_str());
    let nothing: Option<i64> = redis.get("tour:nothing")?;
    info!("GET tour:nothing: {}", nothing);
    redis.set("tour:boots", u32::MAX)?;
    info!("INCR tour:boots: {=i64}", redis.incr("tour:boots")?);
    let fresh: bool = redis.execute(set("tour:lock", "token").ex(3600).nx())?;
    let again: bool = redis.execute(set("tour:lock", "other").ex(3600).nx())?;
    info!("SET tour:lock with NX: {=bool}, again: {=bool}", fresh, again);
    redis.set("tour:temperature", -12.625)?;
    let temperature: f64 = redis.get("tour:temperature")?;
    info!("GET tour:temperature: {=f64}", temperature);
    redis.rpush("tour:list", (1, "two", 3))?;
    let list: heapless::Vec<&str, 4> = redis.lrange("tour:list", 0, -1)?;
    info!("LRANGE tour:list: {=[?]}", list.as_slice());
    Ok(())
}

fn errors(redis: &mut Redis) -> Result<(), Error> {
    let refused = redis.incr("tour:name").err();
    info!("INCR tour:name: {}", refused.as_ref().map(|error| error.kind()));
    let mismatched = redis.get::<i64>("tour:name").err();
    info!("GET tour:name as an integer: {}", mismatched.as_ref().map(|error| error.kind()));
    Ok(())
}

fn pipeline(redis: &mut Redis) -> Result<(), Error> {
    let (count, name, list): (i64, Option<heapless::String<16>>, u64) =
        redis.pipeline().incr("tour:count").get("tour:name").rpush("tour:list", [4, 5]).execute()?;
    info!("pipeline: INCR {=i64}, GET {}, RPUSH {=u64}", count, name.as_deref(), list);
    Ok(())
}

fn transactions(redis: &mut Redis, other: &mut Other) -> Result<(), Error> {
    let (boots, count): (i64, i64) = redis.atomic().incr("tour:boots").incr("tour:count").execute()?;
    info!("transaction: INCR {=i64}, INCR {=i64}", boots, count);
    let mut attempts = 0;
    let next = redis.transaction(["tour:seq"], |tx| {
        let next = tx.get::<Option<u64>>("tour:seq")?.unwrap_or(0) + 1;
        attempts += 1;
        if attempts == 1 {
            // Somebody else is faster.
            other.set("tour:seq", 41)?;
        }
        tx.multi().set("tour:seq", next);
        Ok(next)
    })?;
    info!("transaction on a watched key: {=u64}, after {=u32} attempts", next, attempts);
    Ok(())
}

fn script(redis: &mut Redis, other: &mut Other) -> Result<(), Error> {
    let multiply = Script::new("return redis.call('GET', KEYS[1]) * ARGV[1]");
    let product: i64 = redis.script(&multiply, "tour:seq", 10)?;
    info!("script: {=i64}", product);
    other.script_flush()?;
    let product: i64 = redis.script(&multiply, "tour:seq", 100)?;
    info!("script, when the server has forgotten it: {=i64}", product);
    Ok(())
}

fn subscription(redis: &mut Redis, other: &mut Other) -> Result<(), Error> {
    redis.subscribe("tour:news")?;
    redis.psubscribe("tour:al*")?;
    let own = redis.publish("tour:news", "published by the subscriber")?;
    let others = other.publish("tour:alert", "published by another")?;
    // What is published while something else is waited for is kept.
    let name: &str = redis.get("tour:name")?;
    info!("subscribed, receivers {=u64} and {=u64}, GET tour:name: {=str}", own, others, name);
    for _ in 0..2 {
        message("message", redis.get_message(Duration::from_secs(10))?);
    }
    message("no message", redis.get_message(Duration::from_millis(20))?);
    Ok(())
}

fn subscription_under_resp2(redis: &mut Redis, other: &mut Other) -> Result<(), Error> {
    other.subscribe("tour:echo")?;
    redis.publish("tour:echo", "hello")?;
    message("message under RESP2", other.get_message(Duration::from_secs(10))?);
    let refused = other.set("tour:name", "subscriber").err();
    info!("SET of a subscriber under RESP2: {}", refused.as_ref().map(|error| error.kind()));
    other.unsubscribe("tour:echo")?;
    info!("SET afterwards: {=bool}", other.set("tour:other", "no subscriber any more")?);
    Ok(())
}

fn large_values(redis: &mut Redis) -> Result<(), Error> {
    let (mut length, mut wrong) = (0, 0);
    if let Some(mut value) = redis.download(get("tour:large"))? {
        while let Some(piece) = value.next()? {
            for &byte in piece {
                wrong += u32::from(byte != large(length));
                length += 1;
            }
        }
    }
    info!("read in pieces: {=usize} bytes, {=u32} of them wrong", length, wrong);

    let mut upload = redis.upload(cmd("SET").arg("tour:written"), WRITTEN)?;
    for start in (0..WRITTEN).step_by(100) {
        let piece: heapless::Vec<u8, 100> = (start..WRITTEN).take(100).map(large).collect();
        upload.append(&piece)?;
    }
    upload.finish::<()>()?;
    info!("written in pieces: {=u64} bytes", redis.strlen("tour:written")?);

    let skipped = redis.get::<&str>("tour:large").err();
    info!("read at once: {}", skipped.as_ref().map(|error| error.kind()));
    let name: &str = redis.get("tour:name")?;
    info!("GET tour:name: {=str}", name);
    Ok(())
}

/// The byte at a place of the large values.
fn large(place: usize) -> u8 {
    (place ^ place >> 8 ^ place >> 16) as u8
}

fn lost_connection(redis: &mut Redis, other: &mut Other) -> Result<(), Error> {
    let id = redis.client_id()?;
    let killed: u64 = other.execute(client_kill().id(id))?;
    info!("CLIENT KILL by another client: {=u64}", killed);
    // The line is silent from now on, and a UART does not say why.
    let error = redis.get_message(Duration::from_secs(30)).map(drop);
    info!("waiting for a message: {}", error.err().as_ref().map(|error| error.kind()));
    redis.connect()?;
    let channels = redis.connection().subscriptions(SubscriptionKind::Channel);
    let patterns = redis.connection().subscriptions(SubscriptionKind::Pattern);
    let line = redis.connector().used;
    info!("connected over line {=u8}: {=usize} channel, {=usize} pattern", line, channels, patterns);
    message("after the loss", redis.get_message(Duration::from_secs(10))?);
    let receivers = other.publish("tour:news", "still there?")?;
    info!("PUBLISH by another client: {=u64} receiver", receivers);
    message("message", redis.get_message(Duration::from_secs(10))?);
    info!("INCR tour:count: {=i64}", redis.incr("tour:count")?);
    Ok(())
}

fn message(title: &str, message: Option<Message<'_>>) {
    info!("{=str}: {}", title, message);
}

/// Two serial lines, of which each is good for one connection: where it ended is not to be seen on a line.
struct Lines {
    used: u8,
}

impl Connector for Lines {
    type Stream = Uart;
    type Error = embedded_io::ErrorKind;

    fn connect(&mut self) -> Result<Uart, embedded_io::ErrorKind> {
        self.used += 1;
        match self.used {
            1 => Ok(Uart::new(UartNumber::Zero)),
            2 => Ok(Uart::new(UartNumber::One)),
            _ => Err(embedded_io::ErrorKind::NotConnected),
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    error!("{}", defmt::Display2Format(info));
    redwire_firmware::exit(false)
}
