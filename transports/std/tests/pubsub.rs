//! Subscriptions, on a real server.

mod support;

use std::time::{Duration, Instant};

use redwire::connection::SubscriptionKind::{Channel, Pattern, Shard};
use redwire_kit::real::Server;
use redwire_std::prelude::*;
use support::{Ways, each_way};

const PATIENCE: Duration = Duration::from_secs(5);

fn next(subscriptions: &mut PubSub) -> Message {
    subscriptions.get_message(PATIENCE).unwrap().expect("a message")
}

/// Kind, channel or pattern, and count of a confirmation.
fn confirmation(subscriptions: &mut PubSub) -> (MessageKind, String, i64) {
    let message = next(subscriptions);
    (message.kind(), message.channel().into_owned(), message.count().expect("a confirmation"))
}

fn nothing(subscriptions: &mut PubSub) {
    assert_eq!(subscriptions.get_message(Duration::ZERO).unwrap(), None);
}

#[test]
fn confirmations_count_and_messages_arrive() {
    each_way(|_, config| {
        let client = config.clone().client();
        let mut news = client.pubsub();
        nothing(&mut news);
        news.subscribe(["foo", "bar"]).unwrap();
        assert_eq!(confirmation(&mut news), (MessageKind::Subscribe(Channel), "foo".into(), 1));
        assert_eq!(confirmation(&mut news), (MessageKind::Subscribe(Channel), "bar".into(), 2));
        news.psubscribe("f*").unwrap();
        assert_eq!(confirmation(&mut news), (MessageKind::Subscribe(Pattern), "f*".into(), 3));

        assert_eq!(client.publish("foo", "hello").unwrap(), 2);
        let message = next(&mut news);
        assert_eq!((message.kind(), message.pattern()), (MessageKind::Message, None));
        assert_eq!((&*message.channel(), &*message.payload()), ("foo", "hello"));
        let message = next(&mut news);
        assert_eq!((message.kind(), message.pattern().as_deref()), (MessageKind::PatternMessage, Some("f*")));
        assert_eq!((&*message.channel(), &*message.payload()), ("foo", "hello"));
        nothing(&mut news);

        news.unsubscribe(()).unwrap();
        let ended = [confirmation(&mut news), confirmation(&mut news)];
        assert_eq!(
            ended.each_ref().map(|(kind, _, count)| (*kind, *count)),
            [(MessageKind::Unsubscribe(Channel), 2), (MessageKind::Unsubscribe(Channel), 1),]
        );
        assert!(news.is_subscribed());
        news.punsubscribe("f*").unwrap();
        assert!(news.is_subscribed());
        assert_eq!(confirmation(&mut news), (MessageKind::Unsubscribe(Pattern), "f*".into(), 0));
        assert!(!news.is_subscribed());
        // Nothing is waited for.
        assert_eq!(news.get_message(Duration::from_secs(3600)).unwrap(), None);
    });
}

#[test]
fn messages_are_shown_as_text() {
    each_way(|_, config| {
        let client = config.clone().client();
        let mut news = client.pubsub();
        news.psubscribe("f*").unwrap();
        let shown = format!("{:?}", next(&mut news));
        assert_eq!(shown, r#"Message { kind: Subscribe(Pattern), channel: "f*", count: 1 }"#);
        client.publish("foo", b"a\"\r\n\xff").unwrap();
        let shown = format!("{:?}", next(&mut news));
        let expected = r#"channel: "foo", pattern: "f*", payload: "a\"\r\n\xff" }"#;
        assert_eq!(shown, format!("Message {{ kind: PatternMessage, {expected}"));
    });
}

#[test]
fn unsubscribing_and_subscribing_again_before_reading() {
    each_way(|_, config| {
        let client = config.clone().client();
        let mut news = client.pubsub();
        news.subscribe("foo").unwrap();
        news.unsubscribe("foo").unwrap();
        news.subscribe("foo").unwrap();
        assert_eq!(confirmation(&mut news).0, MessageKind::Subscribe(Channel));
        assert_eq!(confirmation(&mut news).0, MessageKind::Unsubscribe(Channel));
        assert_eq!(confirmation(&mut news), (MessageKind::Subscribe(Channel), "foo".into(), 1));
        client.publish("foo", "still here").unwrap();
        assert_eq!(next(&mut news).payload(), "still here");
    });
}

#[test]
fn names_and_payloads_are_bytes() {
    each_way(|_, config| {
        let client = config.clone().client();
        let mut news = client.pubsub();
        for name in [b"\xff\xfe\r\n".as_slice(), "\u{4f60}".as_bytes(), b""] {
            news.subscribe(name).unwrap();
            assert_eq!(next(&mut news).channel_bytes(), name);
            let payload: Vec<u8> = (0..=255).collect();
            client.publish(name, &payload).unwrap();
            let message = next(&mut news);
            assert!(message.is_message());
            assert_eq!((message.channel_bytes(), message.payload_bytes()), (name, &payload[..]));
        }
    });
}

#[test]
fn waiting_takes_as_long_as_was_said() {
    each_way(|_, config| {
        let client = config.clone().read_timeout(Duration::from_millis(50)).client();
        let mut news = client.pubsub();
        news.subscribe("foo").unwrap();
        next(&mut news);
        let begun = Instant::now();
        assert_eq!(news.get_message(Duration::from_millis(300)).unwrap(), None);
        assert!(begun.elapsed() >= Duration::from_millis(290), "{:?}", begun.elapsed());
        client.publish("foo", "x").unwrap();
        assert_eq!(next(&mut news).payload(), "x");
    });
}

#[test]
fn listening_ends_with_the_last_subscription() {
    each_way(|_, config| {
        let client = config.clone().client();
        let mut news = client.pubsub();
        news.subscribe(["a", "b"]).unwrap();
        for text in ["one", "two", "three"] {
            client.publish("a", text).unwrap();
        }
        news.unsubscribe(()).unwrap();
        let messages: Result<Vec<Message>, Error> = news.listen().collect();
        let messages = messages.unwrap();
        assert_eq!(messages.len(), 7);
        let texts: Vec<_> =
            messages.iter().filter(|message| message.is_message()).map(Message::payload).collect();
        assert_eq!(texts, ["one", "two", "three"]);
    });
}

#[test]
fn pings_of_a_subscriber() {
    each_way(|_, config| {
        let client = config.clone().client();
        let mut news = client.pubsub();
        news.subscribe("foo").unwrap();
        next(&mut news);
        for text in ["hi", "PONG", ""] {
            // Over two connections: either may come first.
            news.ping(text).unwrap();
            client.publish("foo", text).unwrap();
            let both = [next(&mut news), next(&mut news)];
            assert!(both.iter().all(|message| message.payload() == text));
            let mut kinds = both.map(|message| message.kind());
            kinds.sort_by_key(|kind| *kind == MessageKind::Pong);
            assert_eq!(kinds, [MessageKind::Message, MessageKind::Pong]);
        }
    });
}

#[test]
fn shard_channels() {
    each_way(|server, config| {
        let client = config.clone().client();
        let mut news = client.pubsub();
        news.ssubscribe("s").unwrap();
        if !server.has_since((7, 0)) {
            let error = news.get_message(PATIENCE).unwrap_err();
            assert!(error.to_string().contains("ERR unknown command `SSUBSCRIBE`"), "{error}");
            let error = client.spublish("s", "x").unwrap_err();
            assert!(error.to_string().contains("ERR unknown command `SPUBLISH`"), "{error}");
            return;
        }
        assert_eq!(confirmation(&mut news), (MessageKind::Subscribe(Shard), "s".into(), 1));
        assert_eq!(client.spublish("s", "x").unwrap(), 1);
        assert_eq!(next(&mut news).kind(), MessageKind::ShardMessage);
        news.sunsubscribe("s").unwrap();
        assert_eq!(confirmation(&mut news), (MessageKind::Unsubscribe(Shard), "s".into(), 0));
    });
}

#[test]
fn a_lost_connection_comes_back_with_all_subscriptions() {
    each_way(|server, config| {
        let client = config.clone().client();
        let admin = server.client();
        let mut news = client.pubsub();
        news.subscribe(["a", "b\r\n"]).unwrap();
        news.psubscribe("p*").unwrap();
        for _ in 0..3 {
            next(&mut news);
        }
        for _ in 0..2 {
            let killed: u64 = admin.execute(client_kill().type_("pubsub")).unwrap();
            assert_eq!(killed, 1);
            // It is told once that something may be missing.
            let gap = next(&mut news);
            assert_eq!((gap.kind(), gap.count()), (MessageKind::Gap, Some(3)));
            client.publish("b\r\n", "x").unwrap();
            assert_eq!(next(&mut news).payload(), "x");
            client.publish("page", "y").unwrap();
            assert_eq!(next(&mut news).pattern().as_deref(), Some("p*"));
        }
    });
}

#[test]
fn a_closed_subscription_is_gone_from_the_server() {
    each_way(|_, config| {
        let client = config.clone().client();
        let mut news = client.pubsub();
        news.subscribe("foo").unwrap();
        next(&mut news);
        let count = || client.pubsub_numsub::<Vec<(String, u64)>>("foo").unwrap()[0].1;
        assert_eq!(count(), 1);
        drop(news);
        let patience = Instant::now() + PATIENCE;
        while count() > 0 {
            assert!(Instant::now() < patience);
        }
    });
}

#[test]
fn refused_subscriptions_are_errors() {
    each_way(|server, config| {
        let admin = server.client();
        // Channels that are not named are allowed before Redis 7.0, and refused from there on.
        let _: () = admin
            .execute(["ACL", "SETUSER", "limited", "on", ">p", "+@all", "resetchannels", "&allowed"])
            .unwrap();
        let client = config.clone().credentials("limited", "p").client();
        let mut news = client.pubsub();
        news.subscribe("allowed").unwrap();
        next(&mut news);
        news.subscribe("forbidden").unwrap();
        let error = news.get_message(PATIENCE).unwrap_err();
        assert_eq!(error.code(), Some(redwire::resp::ErrorCode::NoPerm));
        client.publish("allowed", "x").unwrap();
        assert_eq!(next(&mut news).payload(), "x");

        let mut nobody = config.clone().credentials("limited", "wrong").client().pubsub();
        let error = nobody.subscribe("allowed").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Refused { .. }));
    });
}

#[test]
fn many_messages_in_order() {
    each_way(|_, config| {
        let client = config.clone().client();
        let mut news = client.pubsub();
        news.subscribe("n").unwrap();
        next(&mut news);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for start in (0..20_000).step_by(1000) {
                    let mut pipeline = client.pipeline();
                    for number in start..start + 1000 {
                        pipeline.publish("n", number);
                    }
                    pipeline.execute::<()>().unwrap();
                }
            });
            for number in 0..20_000 {
                assert_eq!(next(&mut news).payload(), number.to_string());
            }
        });
    });
}

#[test]
fn listening_to_a_dead_server_is_no_tight_loop() {
    let server = Server::start();
    let mut subscriptions = server.client().pubsub();
    subscriptions.subscribe("c").unwrap();
    assert!(subscriptions.get_message(Duration::from_secs(10)).unwrap().is_some());
    drop(server);
    // With a time it waits for that, and says then what is the matter.
    let start = Instant::now();
    let error = subscriptions.get_message(Duration::from_millis(300)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Connect), "{error:?}");
    assert!(start.elapsed() >= Duration::from_millis(300));
    // Without one it says so after each attempt, and pauses longer and longer.
    let start = Instant::now();
    let mut errors = 0;
    for next in subscriptions.listen() {
        assert!(next.is_err());
        errors += 1;
        if start.elapsed() > Duration::from_secs(1) {
            break;
        }
    }
    assert!(errors < 100, "{errors}");
}
