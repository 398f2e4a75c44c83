//! The async client on tokio, over its sockets: `cargo run -p redwire-embedded-io --example tokio -- localhost:6379`. Without
//! an argument the address is that in `REDIS_URL`, or `localhost:6379`.

use embedded_io_adapters::tokio_1::FromTokio;
use redwire_embedded_io::TokioClock;
use redwire_embedded_io::prelude::*;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    let url = url.unwrap_or_else(|| "localhost:6379".to_string());
    // A future of tokio's sockets can be dropped at any time: nothing is lost.
    if let Some(path) = url.strip_prefix("unix://") {
        demo(CancelSafe(async || UnixStream::connect(path).await.map(FromTokio::new))).await
    } else {
        let address = url.trim_start_matches("redis://").trim_end_matches('/');
        demo(CancelSafe(async || TcpStream::connect(address).await.map(FromTokio::new))).await
    }
}

async fn demo<C: AsyncConnector>(connector: C) -> Result<(), Error> {
    // Receive, transmit, commands in flight, names of channels, messages that wait: all the memory there is.
    let mut memory = StaticBuffers::<512, 300, 8, 64, 256>::sized();
    let config = Config::default().command_timeout(Duration::from_secs(2));
    let mut redis = AsyncClient::new(connector, config, memory.memory(), TokioClock::new());
    redis.connect().await?;

    let visits: i64 = redis.incr("redwire:visits").await?;
    redis.execute(set("redwire:name", "tokio").ex(60)).await?;
    // Lent from the receive buffer, up to the next command.
    let name: &str = redis.get("redwire:name").await?;
    println!("visit {visits} of {name}");

    let (hits, ttl): (i64, i64) = redis.pipeline().incr("redwire:hits").ttl("redwire:name").execute().await?;
    println!("{hits} hits, {ttl} s to live");

    // Read, then write, and start over when somebody else has written in between.
    let next = loop {
        let mut tx = redis.watch("redwire:seq").await?;
        let next = tx.get::<Option<u64>>("redwire:seq").await?.unwrap_or(0) + 1;
        match tx.multi().set("redwire:seq", next).execute::<()>().await {
            Err(error) if *error.kind() == ErrorKind::Conflict => {}
            result => break result.map(|()| next)?,
        }
    };
    println!("sequence number {next}");

    // A call may be dropped at any time. Its reply is discarded when it comes, and the next command gets its own.
    let nothing = redis.execute::<_, Option<(&str, &str)>>(cmd("BLPOP").arg("redwire:nothing").arg("0.05"));
    assert!(timeout(Duration::from_millis(10), nothing).await.is_err());
    println!("still visit {}", redis.get::<i64>("redwire:visits").await?);

    redis.subscribe("redwire:news").await?;
    // Under RESP3 a subscriber runs commands as well.
    redis.publish("redwire:news", "it works").await?;
    if let Some(message) = redis.get_message(Duration::from_secs(1)).await? {
        println!("{}: {}", message.channel.escape_ascii(), message.payload.escape_ascii());
    }
    Ok(())
}
