//! A conversation over a socket of the host, with no more memory than a device has:
//! `cargo run -p redwire-embedded-io --example blocking -- localhost:6379`. Without an argument the address is that in
//! `REDIS_URL`, or `localhost`.

mod socket;

use redwire_embedded_io::prelude::*;
use socket::Place;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("REDIS_URL").unwrap_or_default();
    let text = std::env::args().nth(1).unwrap_or(url);
    let place = match text.strip_prefix("unix://") {
        Some(path) => Place::Unix(path.into()),
        None => {
            let text = text.strip_prefix("redis://").unwrap_or(&text).trim_end_matches('/');
            Place::Tcp(if text.is_empty() { "localhost" } else { text }.parse()?)
        }
    };
    let start = std::time::Instant::now();
    let clock = move || Instant::from_micros(start.elapsed().as_micros() as u64);
    let config = Config::default().handshake_timeout(Duration::from_secs(5)).client_name("blocking");

    let mut memory = StaticBuffers::<512, 300, 8, 64, 256>::sized();
    println!("{} bytes of memory", size_of_val(&memory));
    let mut redis = Client::new(place, config, memory.memory(), clock).with_deadlines();

    let boots: i64 = redis.incr("redwire:boots")?;
    println!("boot number {boots}");
    redis.execute(set("redwire:name", "sensor").ex(60))?;
    let name: &str = redis.get("redwire:name")?;
    println!("name, lent from the buffer: {name}");
    let (hits, ttl): (i64, i64) = redis.pipeline().incr("redwire:hits").ttl("redwire:name").execute()?;
    println!("hits {hits}, time to live {ttl} s");
    let next = redis.transaction(["redwire:seq"], |tx| {
        let next = tx.get::<Option<u64>>("redwire:seq")?.unwrap_or(0) + 1;
        tx.multi().set("redwire:seq", next);
        Ok(next)
    })?;
    println!("sequence number {next}");

    let mut upload = redis.upload(cmd("SET").arg("redwire:samples"), 100_000)?;
    for _ in 0..1000 {
        upload.append(&[b'x'; 100])?;
    }
    upload.finish::<()>()?;
    let mut bytes = 0;
    if let Some(mut samples) = redis.download(get("redwire:samples"))? {
        while let Some(piece) = samples.next()? {
            bytes += piece.len();
        }
    }
    println!("{bytes} bytes up and down");
    let refused = redis.get::<&[u8]>("redwire:samples").unwrap_err();
    println!("in one piece: {refused}");

    redis.subscribe("redwire:news")?;
    if redis.publish("redwire:news", "it works").is_ok()
        && let Some(message) = redis.get_message(Duration::from_secs(1))?
    {
        println!("message: {}", message.payload.escape_ascii());
    }
    redis.unsubscribe(())?;
    redis.del(["redwire:boots", "redwire:name", "redwire:hits", "redwire:seq", "redwire:samples"])?;
    Ok(())
}
