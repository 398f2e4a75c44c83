//! Public types implement `defmt::Format` and `Debug`, all of them, and neither shows what is in the buffers.
#![cfg(feature = "defmt")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use redwire_embedded_io::prelude::*;
use redwire_embedded_io::{EmbassyClock, InUse, Resuming, ServerError, StreamError, TokioClock, WriteError};
use redwire_kit::defmt_frames::{holds, take};
use redwire_kit::source::{files_in, types_in};
use support::memory::World;
use support::wire::{AsyncWorld, block_on};

/// What `defmt` and `Debug` make of a value.
fn shown<T: defmt::Format + Debug>(value: &T) -> (Vec<u8>, String) {
    take();
    defmt::println!("{}", value);
    let frames = take();
    (frames.concat(), format!("{value:?}"))
}

#[test]
fn every_public_type_is_shown_and_none_shows_a_secret() {
    let world = World::new();
    world.set("k3yed", "argum3nt");
    let mut memory = StaticBuffers::<256, 300, 8, 64, 64>::sized();
    let config = Config::default().credentials("us3rname", "s3cretive");
    world.state().server.password = Some("s3cretive");
    let mut redis = world.client(config, memory.memory());
    assert_eq!(redis.get::<&str>("k3yed").unwrap(), "argum3nt");
    let mut seen = BTreeSet::new();
    let mut hidden = |name: &'static str, (frame, debug): (Vec<u8>, String)| {
        seen.insert(name);
        for secret in ["s3cretive", "us3rname", "k3yed", "argum3nt", "51, 99, 114"] {
            assert!(!debug.contains(secret), "{secret} in {debug}");
            assert!(!holds(&frame, secret), "{secret} in {}", frame.escape_ascii());
        }
        assert!(!frame.is_empty() && !debug.is_empty());
    };
    hidden("Pipeline", shown(redis.pipeline().get("k3yed")));
    redis
        .transaction(["k3yed"], |tx| {
            hidden("Transaction", shown(tx));
            hidden("Queue", shown(tx.multi().get("k3yed")));
            Ok(())
        })
        .unwrap();
    hidden("Download", shown(&redis.download(get("k3yed")).unwrap().unwrap()));
    hidden("Upload", shown(&redis.upload(cmd("SET").arg("k3yed"), 5).unwrap()));
    assert_eq!(redis.get::<&str>("k3yed").unwrap(), "argum3nt");
    hidden("Client", shown(&redis));
    redis.disconnect();
    drop(redis);
    let wire = AsyncWorld(World::new());
    wire.0.set("k3yed", "argum3nt");
    let mut buffers = StaticBuffers::<256, 300, 8, 64, 64>::sized();
    let config = Config::default().credentials("us3rname", "s3cretive");
    wire.0.state().server.password = Some("s3cretive");
    let mut client = wire.client(config, buffers.memory());
    block_on(client.connect()).unwrap();
    hidden("Call", shown(&client.get::<()>("k3yed")));
    hidden("AsyncPipeline", shown(client.pipeline().get("k3yed")));
    let mut transaction = block_on(client.watch("k3yed")).unwrap();
    hidden("AsyncTransaction", shown(&transaction));
    hidden("AsyncQueue", shown(transaction.multi().get("k3yed")));
    drop(transaction);
    hidden("AsyncDownload", shown(&block_on(client.download(get("k3yed"))).unwrap().unwrap()));
    hidden("AsyncUpload", shown(&block_on(client.upload(cmd("SET").arg("k3yed"), 5)).unwrap()));
    hidden("AsyncClient", shown(&client));
    hidden("CancelSafe", shown(&CancelSafe(Line::new("s3cretive", 1))));
    let resuming = Resuming::new(|| std::future::ready("s3cretive"));
    hidden("Resuming", shown(&resuming));
    hidden("StaticBuffers", shown(&memory));
    hidden("Memory", shown(&memory.memory()));
    hidden("Line", shown(&Line::new("s3cretive", 1)));
    hidden("InUse", shown(&InUse));
    hidden("NoClock", shown(&NoClock));
    hidden("EmbassyClock", shown(&EmbassyClock::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    hidden("TokioClock", shown(&runtime.block_on(async { TokioClock::new() })));
    hidden("AddressError", shown(&"s3cretive argum3nt".parse::<Address>().unwrap_err()));
    let refused: Error = {
        world.answer("GET x", "-ERR what the server says\r\n");
        let mut memory = StaticBuffers::<256, 300, 8>::new();
        let config = Config::default().password("s3cretive");
        let mut redis = world.client(config, memory.memory());
        redis.get::<()>("x").unwrap_err()
    };
    hidden("Error", shown(&refused));
    hidden("StreamError", shown(&StreamError::default()));
    hidden("WriteError", shown(&WriteError(refused.clone())));
    hidden("ErrorKind", shown(&refused.kind().clone()));
    let said: &ServerError = refused.server_error().unwrap();
    hidden("ServerError", shown(said));
    assert!(holds(&shown(said).0, "what the server says"));
    let address: Address = "redis.lan".parse().unwrap();
    hidden("Address", shown(&address));
    assert!(holds(&shown(&address).0, "redis.lan"));

    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let declared = files_in(&source).into_iter().flat_map(|file| types_in(&file));
    let missing: Vec<String> = declared.filter(|name| !seen.contains(&name[..])).collect();
    assert!(missing.is_empty(), "to be shown above: {missing:?}");
}
