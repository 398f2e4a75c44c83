//! A client of one's own in some hundred lines: see `client.rs`. It talks to the server of REDIS_URL, or to localhost.
//!
//! `cargo run -p redwire-std --example own_client`

mod client;

use std::net::TcpStream;

use client::Client;
use redwire::client::Commands;
use redwire::command::{Commands as _, get, incr, publish, set, subscribe};
use redwire::connection::Config;
use redwire::script::Script;
use redwire::url::{Endpoint, Url};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("REDIS_URL").unwrap_or_else(|_| "redis://localhost".into());
    let url: Url = url.parse()?;
    let config = Config::from(&url);
    let Endpoint::Tcp { host, port } = url.endpoint else {
        return Err("this example takes TCP alone".into());
    };
    let mut redis = Client::new(config, move || TcpStream::connect((&*host, port)));

    redis.execute::<()>(&set("own-client:name", "engine"))?;
    println!("name: {}", redis.execute::<&str>(&get("own-client:name"))?);

    let mut commands = Commands::growing();
    commands.incr("own-client:visits").expire("own-client:visits", 60);
    let (visits, _): (u64, bool) = redis.pipeline(&commands)?;
    println!("visits: {visits}");

    let (doubled,): (String,) = redis.transaction("own-client:visits", |redis| {
        let visits: u64 = redis.execute(&get("own-client:visits"))?;
        let mut commands = Commands::growing();
        commands.add(&set("own-client:visits", 2 * visits));
        Ok(commands)
    })?;
    println!("doubled: {doubled}");

    let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    println!("and three: {}", redis.script::<u64>(&add, "own-client:visits", 3)?);

    redis.change(&subscribe("own-client:news"))?;
    redis.execute::<u64>(&publish("own-client:news", "hello"))?;
    if let Some(message) = redis.next_message()? {
        println!("message: {}", message.payload.escape_ascii());
    }
    let _: u64 = redis.execute(&incr("own-client:visits"))?;
    Ok(())
}
