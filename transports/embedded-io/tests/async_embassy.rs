//! The async client in tasks of embassy's executor, with embassy's clock, against a real server, under RESP2 and RESP3.

mod async_support;

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;

use async_io::Async;
use embassy_executor::Executor;
use embassy_time::{Timer, with_timeout};
use embedded_io_adapters::futures_03::FromFutures;
use redwire_embedded_io::EmbassyClock;
use redwire_embedded_io::prelude::*;
use redwire_embedded_io::redwire::resp::Protocol;
use redwire_kit::real::Server;

const COUNTERS: usize = 8;
const TIMES: u64 = 20;

/// What a task says at its end.
type Said = mpsc::Sender<(&'static str, u64)>;

#[derive(Clone, Copy)]
struct Tcp(SocketAddr);

impl AsyncConnector for Tcp {
    type Stream = FromFutures<Async<TcpStream>>;
    type Error = std::io::Error;

    const CANCEL_SAFE: bool = true;

    async fn connect(&mut self) -> std::io::Result<FromFutures<Async<TcpStream>>> {
        Ok(FromFutures::new(Async::<TcpStream>::connect(self.0).await?))
    }
}

type Redis<'b> = AsyncClient<'b, Tcp, EmbassyClock>;
type Buffers = StaticBuffers<256, 300, 4, 32, 64>;

fn client(tcp: Tcp, protocol: Protocol, memory: &mut Buffers) -> Redis<'_> {
    AsyncClient::new(tcp, Config::default().protocol(protocol), memory.memory(), EmbassyClock::new())
}

#[test]
fn tasks_with_connections_of_their_own() {
    let server = Server::start();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let (said, heard) = mpsc::channel();
        let tcp = Tcp(server.address());
        // The executor is that thread's for ever; the thread ends with the test.
        std::thread::spawn(move || {
            let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
            executor.run(|spawner| {
                for number in 0..COUNTERS {
                    spawner.spawn(counter(number, tcp, protocol, said.clone()).unwrap());
                }
                spawner.spawn(listener(tcp, protocol, said.clone()).unwrap());
                spawner.spawn(late(tcp, protocol, said.clone()).unwrap());
            })
        });
        let mut all = Vec::new();
        for _ in 0..COUNTERS + 2 {
            let patience = Duration::from_secs(60);
            all.push(heard.recv_timeout(patience).expect("a task has failed, or does not end"));
        }
        all.sort();
        let mut expected = vec![("counted", TIMES); COUNTERS];
        expected.push(("heard", COUNTERS as u64));
        expected.push(("late", 1));
        assert_eq!(all, expected, "{protocol:?}");
        // Nothing was lost, and nothing done twice.
        let sum: u64 = redwire_std::ClientConfig::tcp("127.0.0.1", server.port())
            .client()
            .execute(getdel("sum"))
            .unwrap();
        assert_eq!(sum, COUNTERS as u64 * TIMES);
    }
}

/// Counts in transactions that get into the way of the others, while some of its calls are dropped.
#[embassy_executor::task(pool_size = COUNTERS * 2)]
async fn counter(number: usize, tcp: Tcp, protocol: Protocol, said: Said) {
    let mut memory = Buffers::sized();
    let mut redis = client(tcp, protocol, &mut memory);
    redis.connect().await.unwrap();
    for turn in 0..TIMES {
        // A reply that is given up is not that of the next command.
        let given_up = redis.execute::<_, heapless::String<16>>(echo("given up"));
        let _ = with_timeout(embassy_time::Duration::from_micros(turn * 10), given_up).await;
        let mut unique = heapless::String::<16>::new();
        core::fmt::Write::write_fmt(&mut unique, format_args!("{number}/{turn}")).unwrap();
        let echo: &str = redis.echo(unique.as_str()).await.unwrap();
        assert_eq!(echo, unique);
        redis
            .transaction("sum", async |tx| {
                let sum: Option<u64> = tx.get("sum").await?;
                tx.multi().set("sum", sum.unwrap_or(0) + 1);
                Ok(())
            })
            .await
            .unwrap();
    }
    // Until somebody listens.
    while redis.publish("done", number as u64).await.unwrap() == 0 {
        Timer::after_millis(1).await;
    }
    said.send(("counted", TIMES)).unwrap();
}

/// Hears of each that has counted, once.
#[embassy_executor::task(pool_size = 2)]
async fn listener(tcp: Tcp, protocol: Protocol, said: Said) {
    let mut memory = Buffers::sized();
    let mut redis = client(tcp, protocol, &mut memory);
    redis.connect().await.unwrap();
    redis.subscribe("done").await.unwrap();
    let mut heard = [false; COUNTERS];
    let mut polled = 0;
    while heard.contains(&false) {
        // Waited for, and polled for.
        let message = if polled % 2 == 0 {
            redis.get_message(Duration::from_millis(20)).await.unwrap()
        } else {
            Timer::after_millis(1).await;
            redis.poll_message().unwrap()
        };
        polled += 1;
        if let Some(message) = message {
            let number: usize = std::str::from_utf8(message.payload).unwrap().parse().unwrap();
            assert!(!std::mem::replace(&mut heard[number], true));
        }
    }
    said.send(("heard", heard.len() as u64)).unwrap();
}

/// Waits for what does not come in time, by embassy's clock.
#[embassy_executor::task(pool_size = 2)]
async fn late(tcp: Tcp, protocol: Protocol, said: Said) {
    let (mut memory, mut other) = (Buffers::sized(), Buffers::sized());
    let config = Config::default().protocol(protocol).command_timeout(Duration::from_millis(50));
    let mut redis = AsyncClient::new(tcp, config, memory.memory(), EmbassyClock::new());
    redis.connect().await.unwrap();
    let mut other = client(tcp, protocol, &mut other);
    other.connect().await.unwrap();
    let error = redis.execute::<_, Option<(&str, &str)>>(cmd("BLPOP").arg("list").arg(0)).await.unwrap_err();
    assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::TimedOut, true));
    other.rpush("list", "late").await.unwrap();
    let echo: heapless::String<8> = loop {
        match redis.echo("in step").await {
            // The machine may be busy.
            Err(error) if *error.kind() == ErrorKind::TimedOut => {}
            result => break result.unwrap(),
        }
    };
    assert_eq!(echo, "in step");
    said.send(("late", 1)).unwrap();
}
