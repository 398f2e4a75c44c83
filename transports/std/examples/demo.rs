//! A walk through the client: every line of code is printed, with what the server made of it.
//!
//! ```sh
//! make demo                                             # starts a server for it
//! REDIS_URL=redis://localhost cargo run --example demo  # uses yours, and keys that begin with `redwire-demo:`
//! ```

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use redwire_std::prelude::*;

/// Runs a line of code, and prints it and its result.
macro_rules! show {
    (let $name:pat = $value:expr; as $type:ty) => {
        let value: $type = $value;
        print_step(&format!("let {}: {} = {}", stringify!($name), stringify!($type), stringify!($value)));
        print_answer(&format!("{value:?}"));
        let $name = value;
    };
    ($value:expr) => {
        let value = $value;
        print_step(stringify!($value));
        print_answer(&format!("{value:?}"));
    };
}

/// Prints code: a long chain with a line for each call.
fn print_step(code: &str) {
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let code = if code.len() > 80 { code.replace(").", ")\n          .") } else { code };
    println!("    {code}");
}

fn print_answer(answer: &str) {
    println!("      -> {}", if answer == "()" { "ok" } else { answer });
}

fn title(text: &str) {
    println!("\n{text}\n");
}

fn main() -> ExitCode {
    let url = std::env::var("REDIS_URL").unwrap_or_else(|_| "redis://localhost".into());
    let client = match Client::open(&url) {
        Ok(client) => client,
        Err(error) => return failed(&error),
    };
    let walked = walk(&client);
    // Whatever has happened, nothing is left behind.
    let cleaned = client.del(KEYS).map(drop);
    match walked.and(cleaned) {
        Ok(()) => {
            println!("\nThat was all: the code is in transports/std/examples/demo.rs.");
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> ExitCode {
    eprintln!("demo: {error}");
    ExitCode::FAILURE
}

/// All that the demo writes.
const KEYS: [&str; 6] = [
    "redwire-demo:name",
    "redwire-demo:lock",
    "redwire-demo:hits",
    "redwire-demo:user",
    "redwire-demo:queue",
    "redwire-demo:seq",
];

fn walk(client: &Client) -> Result<(), Error> {
    client.del(KEYS)?;
    commands(client)?;
    errors(client)?;
    pipelines(client)?;
    transactions(client)?;
    subscriptions(client)?;
    scripts(client)
}

fn commands(client: &Client) -> Result<(), Error> {
    title("Commands are methods. Where Redis leaves the type of a reply open, you choose it.");
    show!(client.set("redwire-demo:name", "redwire")?);
    show!(let name = client.get("redwire-demo:name")?; as Option<String>);
    show!(let bytes = client.get("redwire-demo:name")?; as Vec<u8>);
    show!(let nobody = client.get("redwire-demo:nobody")?; as Option<String>);
    show!(client.incr("redwire-demo:hits")?);
    show!(let hits = client.get("redwire-demo:hits")?; as u64);
    show!(client.hset("redwire-demo:user", [("name", "Ada"), ("born", "1815")])?);
    show!(let user = client.hgetall("redwire-demo:user")?; as BTreeMap<String, String>);
    show!(client.rpush("redwire-demo:queue", [1, 2, 3])?);
    show!(let queue = client.lrange("redwire-demo:queue", 0, -1)?; as Vec<i64>);
    let _ = (name, bytes, nobody, hits, user, queue);

    title("A command with options is a value to execute; one that no method knows is spelled out.");
    show!(client.execute(set("redwire-demo:lock", "mine").ex(30).nx())?);
    show!(client.execute(set("redwire-demo:lock", "yours").ex(30).nx())?);
    show!(let encoding = client.execute(cmd("OBJECT").arg("ENCODING").arg("redwire-demo:queue"))?; as String);
    let _ = encoding;
    Ok(())
}

fn errors(client: &Client) -> Result<(), Error> {
    title("An error says where it happened, to which command, and why. The connection stays usable.");
    show!(client.incr("redwire-demo:name").unwrap_err().to_string());
    show!(client.get::<u8>("redwire-demo:name").unwrap_err().to_string());
    show!(client.ping()?);
    Ok(())
}

fn pipelines(client: &Client) -> Result<(), Error> {
    title("A pipeline sends many commands at once. The types of all replies are chosen at its end.");
    show!(let (hits, _, name) = client.pipeline().incr("redwire-demo:hits").expire("redwire-demo:hits", 60).get("redwire-demo:name").execute()?;
        as (i64, bool, Option<String>));
    println!("\n  An atomic one is executed between MULTI and EXEC, with nobody in between.\n");
    show!(let counts = client.pipeline().atomic().incr("redwire-demo:hits").incr("redwire-demo:hits").execute()?; as Vec<i64>);
    println!("\n  One that fails keeps the others from nothing; its error can be a value.\n");
    show!(let (wrong, right) = client.pipeline().lpush("redwire-demo:name", 1).llen("redwire-demo:queue").execute()?;
        as (Result<u64, Error>, u64));
    let _ = (hits, name, counts, wrong, right);
    Ok(())
}

fn transactions(client: &Client) -> Result<(), Error> {
    title("Read, then write, as if alone: what is watched must not change, or the closure runs again.");
    let mut attempts = 0;
    let next = client.transaction(["redwire-demo:seq"], |tx| {
        attempts += 1;
        let next = tx.get::<Option<u64>>("redwire-demo:seq")?.unwrap_or(0) + 1;
        println!(
            "    attempt {attempts}: WATCH redwire-demo:seq, GET redwire-demo:seq, so the next one is {next}"
        );
        if attempts == 1 {
            client.set("redwire-demo:seq", 41)?;
            println!("      meanwhile somebody else says: SET redwire-demo:seq 41");
        }
        tx.multi().set("redwire-demo:seq", next);
        println!("      MULTI, SET redwire-demo:seq {next}, EXEC");
        Ok(next)
    })?;
    println!("      -> {next}, after {attempts} attempts");
    Ok(())
}

fn subscriptions(client: &Client) -> Result<(), Error> {
    title("A subscription has a connection of its own. Confirmations and messages come in one stream.");
    let mut news = client.pubsub();
    show!(news.subscribe("redwire-demo:news")?);
    show!(news.psubscribe("redwire-demo:n*")?);
    for _ in 0..2 {
        // Confirmed before something is published, so that nothing is missed.
        if let Some(message) = news.get_message(Duration::from_secs(5))? {
            println!(
                "    {:?} of {}, the {}. one",
                message.kind(),
                message.channel(),
                message.count().unwrap_or(0)
            );
        }
    }
    show!(client.publish("redwire-demo:news", "hello")?);
    for _ in 0..2 {
        if let Some(message) = news.get_message(Duration::from_secs(5))? {
            let pattern =
                message.pattern().map(|pattern| format!(", by the pattern {pattern}")).unwrap_or_default();
            println!("    {:?} to {}: {}{pattern}", message.kind(), message.channel(), message.payload());
        }
    }
    show!(news.get_message(Duration::ZERO)?);
    Ok(())
}

fn scripts(client: &Client) -> Result<(), Error> {
    title(
        "A script is sent once, and called by its digest from then on. A server that has lost it gets it again.",
    );
    let multiply = Script::new("return redis.call('GET', KEYS[1]) * ARGV[1]");
    println!("    {}\n      -> {}", multiply.source(), multiply.digest());
    show!(let product = multiply.key("redwire-demo:seq").arg(2).call(client)?; as i64);
    show!(let again = multiply.key("redwire-demo:seq").arg(10).call(client)?; as i64);
    let _ = (product, again);
    Ok(())
}
