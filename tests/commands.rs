//! Commands as functions and as methods: the same bytes, and types that need no annotation.

#![cfg(feature = "std")]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "the rule is for the engine")]

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use redwire::{
    command::*,
    reply::FromReply,
    resp::{Encode, Encoder, encode},
    storage::Buffer,
};

/// A client that gives the bytes it would send.
struct Recorder;

impl Recorder {
    /// As clients have it: any command, with options too.
    fn execute<C: Command>(&self, command: C) -> Vec<u8> {
        encode(&command)
    }
}

impl Executor for &Recorder {
    type Output<R> = Vec<u8>;

    fn run<C: Command<Reply = Fixed<R>>, R: for<'a> FromReply<'a>>(self, command: C) -> Vec<u8> {
        encode(&command)
    }
}

impl ExecutorAs<()> for &Recorder {
    fn run_as<C: Command<Reply = Open>>(self, command: C) -> Vec<u8> {
        encode(&command)
    }
}

/// A client that gives a value of the type it would read.
struct Typed;

impl Executor for &Typed {
    type Output<R> = Reads<R>;

    fn run<C: Command<Reply = Fixed<R>>, R: for<'a> FromReply<'a>>(self, _: C) -> Reads<R> {
        Reads(std::marker::PhantomData)
    }
}

impl<R: for<'a> FromReply<'a>> ExecutorAs<R> for &Typed {
    fn run_as<C: Command<Reply = Open>>(self, _: C) -> Reads<R> {
        Reads(std::marker::PhantomData)
    }
}

struct Reads<R>(std::marker::PhantomData<R>);

impl<R: 'static> Reads<R> {
    fn type_id(self) -> std::any::TypeId {
        std::any::TypeId::of::<R>()
    }
}

/// A pipeline: it queues commands and gives itself.
struct Pipeline(Buffer<'static>);

impl Pipeline {
    fn new() -> Self {
        Pipeline(Buffer::growing(1 << 20))
    }
}

impl Queue for Pipeline {
    fn queue<C: Encode>(&mut self, command: C) {
        Encoder::new(&mut self.0).command(&command).unwrap();
    }
}

fn wire(commands: &[&[&str]]) -> Vec<u8> {
    commands.iter().flat_map(|words| encode(*words)).collect()
}

#[test]
fn a_chain_on_a_pipeline_needs_no_annotation() {
    let mut p = Pipeline::new();
    p.set("a", 1).get("b").incr("c").hgetall("h").lpop("l").eval("return 1", (), ()).run(set("d", 2).ex(60));
    p.incr("hits").expire("hits", 60).run_as(set("d", 2).get()).run_as(scan(0).count(5)).del(["a", "b"]);
    assert_eq!(
        p.0.filled(),
        wire(&[
            &["SET", "a", "1"],
            &["GET", "b"],
            &["INCR", "c"],
            &["HGETALL", "h"],
            &["LPOP", "l"],
            &["EVAL", "return 1", "0"],
            &["SET", "d", "2", "EX", "60"],
            &["INCR", "hits"],
            &["EXPIRE", "hits", "60"],
            &["SET", "d", "2", "GET"],
            &["SCAN", "0", "COUNT", "5"],
            &["DEL", "a", "b"],
        ])
    );
}

/// For each command: the function, the method of a client and the method of a pipeline write the same bytes.
macro_rules! assert_same {
    ($($name:ident($($argument:expr),*);)*) => {$(
        let bytes = encode(&$name($($argument),*));
        assert_eq!(Recorder.$name($($argument),*), bytes, stringify!($name));
        let mut pipeline = Pipeline::new();
        pipeline.$name($($argument),*);
        assert_eq!(pipeline.0.filled(), bytes, stringify!($name));
    )*};
}

#[test]
fn methods_and_functions_write_the_same() {
    let second = Duration::from_secs(1);
    assert_same! {
        ping(); echo("x"); client_id(); client_list(); client_pause(5); client_unblock(7); client_trackinginfo();
        append("k", "v"); decrby("k", 2); getrange("k", 0, -1); incrbyfloat("k", 0.5); lcs("a", "b"); mget(["a", "b"]);
        mset([("a", 1), ("b", 2)]); msetex([("a", 1), ("b", 2)]); set("k", "v"); setrange("k", 5, "v"); increx("k");
        copy("a", "b"); del("k"); expire("k", 60); migrate("h", 6379, "k", 0, second); move_("k", 1); object_freq("k");
        restore("k", 0, "v"); scan(0); sort("k"); type_("k"); wait(1, second); waitaof(1, 1, second); keys("*");
        hdel("h", ["f", "g"]); hexpire("h", 60, "f"); hgetall("h"); hset("h", [("f", 1)]); hsetex("h", ("f", 1));
        blmove("a", "b", Side::Left, Side::Right, second); blmpop(second, "l", Side::Left); blpop("l", second);
        linsert_after("l", "a", "b"); lmpop(["l", "m"], Side::Right); lpos("l", "a"); lpush("l", ["a", "b"]);
        publish("c", "m"); pubsub_numsub(["c"]); spublish("c", "m");
        eval("return 1", "k", "a"); fcall("f", (), ()); function_load("code"); script_exists("sha"); script_flush();
        info(); time(); flushall(); config_set(("a", "b")); role();
    }
}

#[test]
fn a_client_reads_what_redis_fixes_or_the_caller_asks_for() {
    use std::any::TypeId;
    let client = &Typed;
    assert_eq!(client.incr("k").type_id(), TypeId::of::<i64>());
    assert_eq!(client.del("k").type_id(), TypeId::of::<u64>());
    assert_eq!(client.set("k", "v").type_id(), TypeId::of::<bool>());
    assert_eq!(client.mset(("k", "v")).type_id(), TypeId::of::<()>());
    assert_eq!(client.incrbyfloat("k", 0.5).type_id(), TypeId::of::<f64>());
    assert_eq!(client.time().type_id(), TypeId::of::<(u64, u64)>());
    assert_eq!(client.get::<i64>("k").type_id(), TypeId::of::<i64>());
    let asked: Reads<f64> = client.hget("h", "f");
    assert_eq!(asked.type_id(), TypeId::of::<f64>());

    // An option may change it.
    assert_eq!(client.run(set("k", "v").ex(60).nx()).type_id(), TypeId::of::<bool>());
    let old: Reads<i64> = client.run_as(set("k", "v").get().ex(60));
    assert_eq!(old.type_id(), TypeId::of::<i64>());
    assert_eq!(client.run(lcs("a", "b").len()).type_id(), TypeId::of::<u64>());
    assert_eq!(client.run(sort("k").desc().store("to")).type_id(), TypeId::of::<u64>());
}

#[test]
fn arguments_of_every_form() {
    let map = BTreeMap::from([("f", 1), ("g", 2)]);
    let hash_map = HashMap::from([("f", 1)]);
    let names = vec![String::from("a"), String::from("b")];
    assert_eq!(Recorder.execute(hset("h", &map)), wire(&[&["HSET", "h", "f", "1", "g", "2"]]));
    assert_eq!(Recorder.execute(hset("h", hash_map)), wire(&[&["HSET", "h", "f", "1"]]));
    assert_eq!(Recorder.execute(hset("h", [("f", 1)])), wire(&[&["HSET", "h", "f", "1"]]));
    assert_eq!(Recorder.execute(hset("h", ("f", 1, "g", "x"))), wire(&[&["HSET", "h", "f", "1", "g", "x"]]));
    assert_eq!(Recorder.execute(del("k")), wire(&[&["DEL", "k"]]));
    assert_eq!(Recorder.execute(del(&names)), wire(&[&["DEL", "a", "b"]]));
    assert_eq!(Recorder.execute(del(names.as_slice())), wire(&[&["DEL", "a", "b"]]));
    assert_eq!(Recorder.execute(msetex(&map)), wire(&[&["MSETEX", "2", "f", "1", "g", "2"]]));
    assert_eq!(
        Recorder.execute(hsetex("h", &map)),
        wire(&[&["HSETEX", "h", "FIELDS", "2", "f", "1", "g", "2"]])
    );
    assert_eq!(Recorder.execute(lmpop(&names, Side::Left)), wire(&[&["LMPOP", "2", "a", "b", "LEFT"]]));
    assert_eq!(
        Recorder.execute(eval("s", &names, &map)),
        wire(&[&["EVAL", "s", "2", "a", "b", "f", "1", "g", "2"]])
    );
}

#[test]
fn keys_and_values_are_any_bytes() {
    let bytes = [0, 255, b'\r', b'\n'];
    assert_eq!(Recorder.execute(set(bytes, "")), b"*3\r\n$3\r\nSET\r\n$4\r\n\x00\xff\r\n\r\n$0\r\n\r\n");
}

/// What the server has to complain about is sent as it is.
#[test]
fn no_keys_at_all() {
    let none: [&str; 0] = [];
    assert_eq!(Recorder.execute(del(none)), wire(&[&["DEL"]]));
    assert_eq!(Recorder.execute(lmpop(none, Side::Left)), wire(&[&["LMPOP", "0", "LEFT"]]));
}

#[test]
fn blocking_commands_are_waited_for() {
    let five = Duration::from_secs(5);
    let longer = Patience::Longer(five);
    assert_eq!(get("k").patience(), Patience::Usual);
    assert_eq!(set("k", "v").ex(60).patience(), Patience::Usual);
    assert_eq!(blpop("l", five).patience(), longer);
    assert_eq!(brpop(["l", "m"], five).patience(), longer);
    assert_eq!(blmove("a", "b", Side::Left, Side::Left, five).patience(), longer);
    assert_eq!(blmovem("a", "b", Side::Left, Side::Left, five).count(2).bulk().patience(), longer);
    assert_eq!(brpoplpush("a", "b", five).patience(), longer);
    assert_eq!(blmpop(five, "l", Side::Left).patience(), longer);
    assert_eq!(blmpop(five, "l", Side::Left).count(2).patience(), longer);
    assert_eq!(wait(1, five).patience(), longer);
    assert_eq!(waitaof(1, 1, five).patience(), longer);
    assert_eq!(migrate("h", 6379, "k", 0, five).replace().patience(), longer);
    assert_eq!(blpop("l", Duration::ZERO).patience(), Patience::Forever);
    assert_eq!(Encode::patience(&&blpop("l", Duration::ZERO)), Patience::Forever);
}

#[test]
fn secrets_are_not_shown() {
    assert_eq!(format!("{:?}", auth("secret")), "Cmd");
    assert_eq!(format!("{:?}", hello(3).auth("alice", "secret")), "Hello");
    assert_eq!(format!("{:?}", migrate("h", 6379, "k", 0, Duration::ZERO).auth("secret")), "Migrate");
}
