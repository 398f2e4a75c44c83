//! The async client on tokio, against a real server, under RESP2 and RESP3, on one thread and on several.

mod async_support;

use std::net::SocketAddr;
use std::sync::Arc;

use async_support::on_tokio::Tcp;
use redwire_embedded_io::TokioClock;
use redwire_embedded_io::prelude::*;
use redwire_embedded_io::redwire::resp::{ErrorCode, Protocol};
use redwire_kit::real::Server;
use tokio::sync::{Mutex, mpsc};

type Redis<'b> = AsyncClient<'b, Tcp, TokioClock>;
type Buffers = StaticBuffers<512, 512, 32, 128, 256>;

/// Runs a test in a task that moves between threads if it can, against one server with an empty database each time.
#[track_caller]
fn everywhere<F: Future<Output = ()> + Send + 'static>(test: impl Fn(SocketAddr, Protocol) -> F) {
    let server = Server::start();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for threads in [1, 4] {
            let mut builder = match threads {
                1 => tokio::runtime::Builder::new_current_thread(),
                _ => tokio::runtime::Builder::new_multi_thread(),
            };
            let runtime = builder.worker_threads(threads).enable_all().build().unwrap();
            runtime.block_on(async {
                let mut memory = Buffers::sized();
                let mut redis = client(server.address(), protocol, &mut memory);
                redis.connect().await.unwrap();
                redis.flushall().await.unwrap();
            });
            println!("{protocol:?}, {threads} threads");
            runtime.block_on(async { tokio::spawn(test(server.address(), protocol)).await.unwrap() });
        }
    }
}

fn client(address: SocketAddr, protocol: Protocol, memory: &mut Buffers) -> Redis<'_> {
    configured(address, Config::default().protocol(protocol), memory)
}

fn configured<'b>(address: SocketAddr, config: Config<'b>, memory: &'b mut Buffers) -> Redis<'b> {
    AsyncClient::new(Tcp(address), config, memory.memory(), TokioClock::new())
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Some time: for the task to be polled some times, or for the clock to move on.
async fn a_while(random: &mut Random) {
    match random.below(8) {
        0 => tokio::time::sleep(Duration::from_millis(random.below(2))).await,
        times => {
            for _ in 0..times * times {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Drops a call after a while, one time out of two. None if it was dropped.
async fn perhaps<T>(random: &mut Random, call: impl Future<Output = T>) -> Option<T> {
    if random.below(2) == 0 {
        return Some(call.await);
    }
    tokio::select! {
        biased;
        output = call => Some(output),
        () = a_while(random) => None,
    }
}

/// Drops a write that the server holds back: however fast the server is, this one is dropped.
async fn certainly_dropped(random: &mut Random, call: impl Future<Output = Result<bool, Error>>) {
    tokio::select! {
        biased;
        output = call => panic!("it was not held back: {output:?}"),
        () = a_while(random) => {}
    }
}

async fn hold_writes_back(other: &mut Redis<'_>) {
    other.execute::<_, ()>(client_pause(600_000).write()).await.unwrap();
}

#[test]
fn a_hundred_tasks_with_connections_of_their_own() {
    everywhere(async |address, protocol| {
        let mut memory = Buffers::sized();
        let mut other = client(address, protocol, &mut memory);
        other.connect().await.unwrap();
        hold_writes_back(&mut other).await;
        let (begins, mut all_began) = mpsc::channel(1);
        let tasks: Vec<_> = (0..100)
            .map(|task| tokio::spawn(one_of_a_hundred(task, address, protocol, begins.clone())))
            .collect();
        drop(begins);
        // None when each has dropped its sender, by a panic too.
        assert!(all_began.recv().await.is_none());
        other.client_unpause().await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn one_of_a_hundred(task: u64, address: SocketAddr, protocol: Protocol, begins: mpsc::Sender<()>) {
    let mut memory = Buffers::sized();
    let mut redis = client(address, protocol, &mut memory);
    redis.connect().await.unwrap();
    let mut random = Random(task);
    let random = &mut random;
    let key = format!("key:{task}");
    certainly_dropped(random, redis.set(&key, "held back")).await;
    drop(begins);
    // What may be the value of the key: a call that was dropped was executed or not.
    let mut values = vec![String::new()];
    redis.set(&key, "").await.unwrap();
    for turn in 0..30 {
        let unique = format!("{task}/{turn}");
        match random.below(7) {
            0 => {
                let done = perhaps(random, redis.set(&key, &unique)).await.transpose().unwrap();
                if done.is_some() {
                    values.clear();
                }
                values.push(unique);
            }
            1 => {
                let value: Option<&str> = perhaps(random, redis.get(&key)).await.transpose().unwrap();
                if let Some(value) = value {
                    assert!(values.iter().any(|v| v == value), "{value} is none of {values:?}");
                }
            }
            2 => {
                let echo: Option<&str> =
                    perhaps(random, redis.execute(echo(&unique))).await.transpose().unwrap();
                assert!(echo.is_none_or(|echo| echo == unique));
            }
            3 => {
                let sent: [String; 3] = [0, 1, 2].map(|number| format!("{unique}.{number}"));
                let mut pipeline = redis.pipeline();
                for text in &sent {
                    pipeline.echo(text);
                }
                let echoes: Option<[heapless::String<32>; 3]> =
                    perhaps(random, pipeline.execute()).await.transpose().unwrap();
                assert!(echoes.iter().flatten().zip(&sent).all(|(echo, sent)| *echo == **sent));
            }
            4 => {
                let mut pipeline = redis.atomic();
                pipeline.set(&key, &unique).get(&key);
                let result = perhaps(random, pipeline.execute::<((), heapless::String<32>)>()).await;
                match result.transpose().unwrap() {
                    Some(((), value)) => {
                        assert_eq!(value, *unique);
                        values = vec![unique];
                    }
                    None => values.push(unique),
                }
            }
            5 => {
                let transaction = async {
                    let mut tx = redis.watch(&key).await?;
                    let value: heapless::String<32> = tx.get(&key).await?;
                    tx.multi().set(&key, &unique).execute::<()>().await?;
                    Ok::<_, Error>(value)
                };
                let result = perhaps(random, transaction).await.transpose().unwrap();
                if let Some(value) = &result {
                    assert!(values.iter().any(|v| *v == **value), "{value} is none of {values:?}");
                    values.clear();
                }
                values.push(unique);
            }
            _ => {
                let script = Script::new("return ARGV[1]");
                let echo: Option<&str> =
                    perhaps(random, redis.script(&script, (), &unique)).await.transpose().unwrap();
                assert!(echo.is_none_or(|echo| echo == unique));
            }
        }
        if !redis.is_connected() {
            // The source of the script was on its way.
            redis.connect().await.unwrap();
        }
    }
}

#[test]
fn a_hundred_tasks_with_one_connection() {
    everywhere(async |address, protocol| {
        let memory = Box::leak(Box::new(Buffers::sized()));
        let mut redis = client(address, protocol, memory);
        redis.connect().await.unwrap();
        let mut other = Buffers::sized();
        let mut other = client(address, protocol, &mut other);
        other.connect().await.unwrap();
        hold_writes_back(&mut other).await;
        for number in 0..20 {
            certainly_dropped(&mut Random(number), redis.set("key", number)).await;
        }
        other.client_unpause().await.unwrap();
        let redis = Arc::new(Mutex::new(redis));
        let tasks: Vec<_> = (0..100)
            .map(|task| {
                let redis = redis.clone();
                tokio::spawn(async move {
                    let mut random = Random(task);
                    for turn in 0..20 {
                        let unique = format!("{task}/{turn}");
                        let mut redis = redis.lock().await;
                        let echo: Option<Result<&str, Error>> = match random.below(2) {
                            0 => perhaps(&mut random, redis.echo(&unique)).await,
                            _ => perhaps(&mut random, redis.execute(echo(&unique))).await,
                        };
                        match echo {
                            Some(Ok(echo)) => assert_eq!(echo, unique),
                            // All the others before it were dropped.
                            Some(Err(error)) if matches!(error.kind(), ErrorKind::Capacity(_)) => {}
                            Some(Err(error)) => panic!("{error}"),
                            None => {}
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        // It has been the same connection all the time.
        let mut redis = redis.lock().await;
        assert!(redis.is_connected());
        redis.ping().await.unwrap();
        assert_eq!(redis.connection().in_flight(), 0);
    });
}

#[test]
fn a_transaction_is_run_again_on_a_conflict() {
    let server = Server::start();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(transactions(server.address(), protocol));
    }
}

async fn transactions(address: SocketAddr, protocol: Protocol) {
    {
        let (mut memory, mut other) = (Buffers::sized(), Buffers::sized());
        let mut redis = client(address, protocol, &mut memory);
        redis.connect().await.unwrap();
        let mut other = client(address, protocol, &mut other);
        other.connect().await.unwrap();
        other.del(["seq", "a"]).await.unwrap();
        let mut runs = 0;
        let value = redis
            .transaction("seq", async |tx| {
                let value = tx.get::<Option<u64>>("seq").await?.unwrap_or(0) + 1;
                runs += 1;
                if runs < 3 {
                    other.set("seq", 10 * runs).await?;
                }
                let ((), again) = tx.multi().set("seq", value).get("seq").execute::<((), u64)>().await?;
                assert_eq!(again, value);
                Ok(value)
            })
            .await
            .unwrap();
        assert_eq!((runs, value), (3, 21));

        // What fails on the way changes nothing, and leaves nothing watched.
        let error = redis
            .transaction("seq", async |tx| {
                tx.multi().set("seq", 0);
                Err::<(), Error>(tx.get::<u64>("seq").await.unwrap_err())
            })
            .await
            .unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Misuse(_)), "{error}");
        other.set("seq", 5).await.unwrap();
        let (value,): (u64,) = redis.atomic().get("seq").execute().await.unwrap();
        assert_eq!(value, 5);

        let error = redis.atomic().set("a", 1).add(cmd("NONE")).execute::<()>().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Aborted(_)), "{error}");
        assert_eq!(error.position(), Some(2));
        let error = redis.pipeline().set("a", 1).incr("seq").lpush("a", 2).execute::<()>().await.unwrap_err();
        assert_eq!((error.code(), error.position()), (Some(ErrorCode::WrongType), Some(3)));
    }
}

#[test]
fn scripts() {
    everywhere(async |address, protocol| {
        let mut memory = Buffers::sized();
        let mut redis = client(address, protocol, &mut memory);
        redis.connect().await.unwrap();
        // Longer than both buffers.
        let source = format!("-- {}\nreturn redis.call('GET', KEYS[1]) * ARGV[1]", "long ".repeat(300));
        let multiply = Script::new(&source);
        redis.set("foo", 2).await.unwrap();
        for factor in [5, 6] {
            for _ in 0..2 {
                let product: i64 = redis.script(&multiply, "foo", factor).await.unwrap();
                assert_eq!(product, 2 * factor);
            }
            redis.execute(cmd("SCRIPT").arg("FLUSH")).await.map(|_: ()| ()).unwrap();
        }
        let error =
            redis.script::<_, _, i64>(&Script::new("return {err = 'MINE no'}"), (), ()).await.unwrap_err();
        assert_eq!(error.server_error().unwrap().text(), b"MINE no");
    });
}

#[test]
fn messages() {
    everywhere(async |address, protocol| {
        let (mut memory, mut other) = (Buffers::sized(), Buffers::sized());
        let mut redis = client(address, protocol, &mut memory);
        redis.connect().await.unwrap();
        let mut other = client(address, protocol, &mut other);
        other.connect().await.unwrap();
        redis.subscribe(["news", "weather"]).await.unwrap();
        redis.psubscribe("n*").await.unwrap();
        assert_eq!(redis.poll_message().unwrap(), None);
        assert_eq!(redis.get_message(Duration::from_millis(1)).await.unwrap(), None);

        assert_eq!(other.publish("news", "one").await.unwrap(), 2);
        let hour = Duration::from_secs(3600);
        let message = redis.get_message(hour).await.unwrap().unwrap();
        assert_eq!((message.channel, message.pattern, message.payload), (&b"news"[..], None, &b"one"[..]));
        let message = redis.get_message(hour).await.unwrap().unwrap();
        assert_eq!((message.channel, message.pattern), (&b"news"[..], Some(&b"n*"[..])));
        assert_eq!(redis.poll_message().unwrap(), None);

        // While it waits another publishes; and one is polled for.
        let (message, receivers) = tokio::join!(redis.get_message(hour), async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            other.publish("weather", "two").await
        });
        assert_eq!((message.unwrap().unwrap().payload, receivers.unwrap()), (&b"two"[..], 1));
        other.publish("weather", "three").await.unwrap();
        loop {
            if let Some(message) = redis.poll_message().unwrap() {
                assert_eq!(message.payload, b"three");
                break;
            }
            tokio::task::yield_now().await;
        }

        // None is lost of those for which the waiting is given up again and again.
        let mut random = Random(7);
        let mut next = 0;
        for number in 0..100 {
            other.publish("weather", number).await.unwrap();
            if let Some(message) = perhaps(&mut random, redis.get_message(hour)).await {
                assert_eq!(message.unwrap().unwrap().payload, next.to_string().as_bytes());
                next += 1;
            }
        }
        while next < 100 {
            let message = redis.get_message(hour).await.unwrap().unwrap();
            assert_eq!(message.payload, next.to_string().as_bytes());
            next += 1;
        }

        // Subscriptions are renewed.
        other.execute(cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub")).await.map(|_: i64| ()).unwrap();
        let error = redis.get_message(hour).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error}");
        assert!(!redis.is_connected());
        let gap = redis.get_message(hour).await.unwrap().unwrap();
        assert_eq!((gap.kind, gap.count), (MessageKind::Gap, Some(3)));
        assert_eq!(other.publish("news", "again").await.unwrap(), 2);
        assert_eq!(redis.get_message(hour).await.unwrap().unwrap().payload, b"again");

        redis.unsubscribe(()).await.unwrap();
        redis.punsubscribe(()).await.unwrap();
        redis.ping().await.unwrap();
        while redis.poll_message().unwrap().is_some() {}
        assert_eq!(redis.get_message(hour).await.unwrap(), None);
    });
}

#[test]
fn a_value_larger_than_the_memory() {
    everywhere(async |address, protocol| {
        let mut memory = Buffers::sized();
        let mut redis = client(address, protocol, &mut memory);
        redis.connect().await.unwrap();
        let value: Vec<u8> = (0..1 << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut upload = redis.upload(cmd("SET").arg("big"), value.len()).await.unwrap();
        for piece in value.chunks(512) {
            upload.append(piece).await.unwrap();
        }
        upload.finish::<()>().await.unwrap();
        assert_eq!(redis.strlen("big").await.unwrap(), 1 << 20);

        let mut download = redis.download(get("big")).await.unwrap().unwrap();
        let mut read = Vec::new();
        while let Some(piece) = download.next().await.unwrap() {
            assert!(piece.len() <= 512);
            read.extend_from_slice(piece);
        }
        drop(download);
        assert!(read == value);
        assert!(redis.download(get("nothing")).await.unwrap().is_none());

        // Given up on the way, both.
        let mut download = redis.download(get("big")).await.unwrap().unwrap();
        download.next().await.unwrap();
        drop(download);
        redis.ping().await.unwrap();
        assert!(redis.is_connected());
        let mut upload = redis.upload(cmd("SET").arg("big"), value.len()).await.unwrap();
        upload.append(b"some").await.unwrap();
        drop(upload);
        let error = redis.ping().await.unwrap_err();
        assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::Disconnected, false));
        redis.connect().await.unwrap();
        assert_eq!(redis.strlen("big").await.unwrap(), 1 << 20);
        let error = redis.get::<&[u8]>("big").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge(length) if *length > 1 << 20), "{error}");
        redis.ping().await.unwrap();
    });
}

#[test]
fn a_connection_that_the_server_ends() {
    everywhere(async |address, protocol| {
        let (mut memory, mut other) = (Buffers::sized(), Buffers::sized());
        let mut redis = client(address, protocol, &mut memory);
        let error = redis.ping().await.unwrap_err();
        assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::Disconnected, false));
        redis.connect().await.unwrap();
        let mut other = client(address, protocol, &mut other);
        other.connect().await.unwrap();
        for round in 0..3 {
            let id: u64 = redis.execute(cmd("CLIENT").arg("ID")).await.unwrap();
            // Sent before the end, in one case.
            let blocked = redis.execute::<_, Option<(&str, &str)>>(cmd("BLPOP").arg("none").arg(0));
            let kill = other.execute::<_, i64>(cmd("CLIENT").arg("KILL").arg("ID").arg(id));
            let error = if round == 0 {
                let (error, killed) = tokio::join!(blocked, kill);
                assert_eq!(killed.unwrap(), 1);
                let error = error.unwrap_err();
                assert!(error.maybe_executed(), "{error}");
                error
            } else {
                drop(blocked);
                assert_eq!(kill.await.unwrap(), 1);
                // It is found out before anything is sent, as soon as the end has come.
                loop {
                    match redis.ping().await {
                        Ok(()) => tokio::task::yield_now().await,
                        Err(error) => break error,
                    }
                }
            };
            assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error}");
            assert!(!redis.is_connected());
            redis.connect().await.unwrap();
            redis.ping().await.unwrap();
        }
    });
}

#[test]
fn no_server() {
    let server = Server::start();
    let address = server.address();
    drop(server);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut memory = Buffers::sized();
        let mut redis = client(address, Protocol::Resp3, &mut memory);
        let error = redis.connect().await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Connect);
        assert_eq!(error.origin().kind(), Some(embedded_io::ErrorKind::ConnectionRefused));
        assert!(error.is_retryable() && !redis.is_connected());
    });
}

#[test]
fn a_server_that_says_nothing_in_time() {
    everywhere(async |address, protocol| {
        let (mut memory, mut other) = (Buffers::sized(), Buffers::sized());
        let config = Config::default().protocol(protocol).command_timeout(Duration::from_millis(20));
        let mut redis = configured(address, config, &mut memory);
        redis.connect().await.unwrap();
        let mut other = client(address, protocol, &mut other);
        other.connect().await.unwrap();
        other.set("key", "value").await.unwrap();
        let error =
            redis.execute::<_, Option<(&str, &str)>>(cmd("BLPOP").arg("list").arg(0)).await.unwrap_err();
        assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::TimedOut, true));
        assert!(redis.is_connected());
        // Its reply comes before the next one, and is discarded.
        other.rpush("list", "late").await.unwrap();
        let value: heapless::String<8> = loop {
            match redis.get("key").await {
                // The machine may be busy.
                Err(error) if *error.kind() == ErrorKind::TimedOut => {}
                result => break result.unwrap(),
            }
        };
        assert_eq!(value, "value");
    });
}
