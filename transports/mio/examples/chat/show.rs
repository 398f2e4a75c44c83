//! A room and three clients that talk in it. It fails unless every one has seen what it should.

use std::error::Error;
use std::thread;
use std::time::Duration;

use redwire_std::prelude::*;

use crate::guest::Guest;
use crate::limit::Limit;
use crate::room::{Room, client_name};

pub(crate) fn show(url: &str) -> Result<(), Box<dyn Error>> {
    let outside = Client::open(url)?;
    outside.ping()?;
    let limit = Limit::new(3, Duration::from_secs(1));
    let mut room = Room::open(([127, 0, 0, 1], 0).into(), &url.parse()?, limit)?;
    let address = room.address()?;
    // It ends with the program.
    thread::spawn(move || {
        let Err(error) = room.run();
        eprintln!("the room has ended: {error}");
        std::process::exit(1);
    });

    title("Three clients enter, and a line of one is seen by all.");
    let mut ann = Guest::enter(address, "ann")?;
    let mut ben = Guest::enter(address, "ben")?;
    let mut cleo = Guest::enter(address, "cleo")?;
    for guest in [&mut ann, &mut ben, &mut cleo] {
        guest.sees("* redis is there")?;
    }
    ann.say("hello")?;
    all_see([&mut ann, &mut ben, &mut cleo], "> ann: hello")?;

    title("Somebody else publishes, as redis-cli would.");
    let subscribers: u64 = outside.publish("redwire-chat", "news from outside")?;
    println!("{:>8}        PUBLISH redwire-chat \"news from outside\" -> {subscribers}", "outside");
    all_see([&mut ann, &mut ben, &mut cleo], "> news from outside")?;

    title("Ben is too fast for the script, and waits as long as it says. The others do not.");
    let mut said = 0;
    let wait = loop {
        said += 1;
        ben.say(&format!("number {said}"))?;
        let answer = loop {
            let line = ben.read()?;
            if line.starts_with("> ben: ") || line.starts_with("! ") {
                break line;
            }
        };
        match answer.strip_prefix("! too fast: wait ").and_then(|rest| rest.strip_suffix(" ms")) {
            Some(wait) => break wait.parse()?,
            None if answer.starts_with("! ") || said == 100 => {
                return Err(format!("no limit: {answer}").into());
            }
            None => {}
        }
    };
    cleo.say("take your time")?;
    all_see([&mut ann, &mut ben, &mut cleo], "> cleo: take your time")?;
    thread::sleep(Duration::from_millis(wait));
    ben.say("now I may")?;
    all_see([&mut ann, &mut ben, &mut cleo], "> ben: now I may")?;

    title("The room loses its connection to Redis. It is back, and so is its subscription.");
    let list: String = outside.client_list()?;
    let is_room =
        |line: &&str| line.split(' ').any(|word| word.strip_prefix("name=") == Some(&client_name()));
    let room = list.lines().find(is_room).ok_or("CLIENT LIST does not have the room")?;
    let id = room.split(' ').find_map(|word| word.strip_prefix("id=")).ok_or("CLIENT LIST has no id")?;
    let killed: u64 = outside.execute(cmd("CLIENT").arg(("KILL", "ID", id)))?;
    println!("{:>8}        CLIENT KILL ID {id} -> {killed}", "outside");
    for guest in [&mut ann, &mut ben, &mut cleo] {
        guest.sees("* redis is away")?;
        guest.sees("* redis is there")?;
    }
    ann.say("still here?")?;
    all_see([&mut ann, &mut ben, &mut cleo], "> ann: still here?")?;

    title("Cleo leaves, and the others go on.");
    drop(cleo);
    ann.say("bye, cleo")?;
    all_see([&mut ann, &mut ben], "> ann: bye, cleo")?;

    println!("\nThat was all: the code is in transports/mio/examples/chat.");
    Ok(())
}

fn title(text: &str) {
    println!("\n{text}\n");
}

fn all_see<const N: usize>(guests: [&mut Guest; N], line: &str) -> Result<(), Box<dyn Error>> {
    for guest in guests {
        guest.sees(line)?;
    }
    Ok(())
}
