//! Publishing, and what the server knows about subscriptions.
//!
//! The commands that subscribe are functions and no methods: what they bring are messages, for as long as the subscription
//! lasts, and no reply that a call could wait for. Clients have a type of its own for subscriptions.

use super::{Cmd, Fixed, Open};

macro_rules! pubsub_commands {
    ($emit:ident) => {
        $emit! {
            /// Sends a message to a channel, and gives how many clients of this server got it; in a cluster
            /// those of other nodes are not counted.
            ///
            /// [PUBLISH](https://redis.io/docs/latest/commands/publish/), Redis 2.0.0.
            fn publish(channel: Argument, message: Argument) -> Fixed<u64> = "PUBLISH", channel, message;
                example publish("news", "hello") => ["PUBLISH", "news", "hello"];

            /// The channels that have subscribers, those by pattern not counted.
            ///
            /// [PUBSUB CHANNELS](https://redis.io/docs/latest/commands/pubsub-channels/), Redis 2.8.0.
            fn pubsub_channels() -> Open with PubSubChannels = "PUBSUB", "CHANNELS";
                example pubsub_channels() => ["PUBSUB", "CHANNELS"];

            /// How many patterns clients are subscribed to.
            ///
            /// [PUBSUB NUMPAT](https://redis.io/docs/latest/commands/pubsub-numpat/), Redis 2.8.0.
            fn pubsub_numpat() -> Fixed<u64> = "PUBSUB", "NUMPAT";
                example pubsub_numpat() => ["PUBSUB", "NUMPAT"];

            /// How many subscribers each of these channels has, those by pattern not counted: names and
            /// numbers in turn.
            ///
            /// [PUBSUB NUMSUB](https://redis.io/docs/latest/commands/pubsub-numsub/), Redis 2.8.0.
            fn pubsub_numsub(channels: Arguments) -> Open = "PUBSUB", "NUMSUB", channels;
                example pubsub_numsub(["a", "b"]) => ["PUBSUB", "NUMSUB", "a", "b"];

            /// The shard channels that have subscribers.
            ///
            /// [PUBSUB SHARDCHANNELS](https://redis.io/docs/latest/commands/pubsub-shardchannels/), Redis 7.0.0.
            fn pubsub_shardchannels() -> Open with PubSubChannels = "PUBSUB", "SHARDCHANNELS";
                example pubsub_shardchannels() => ["PUBSUB", "SHARDCHANNELS"];

            /// How many subscribers each of these shard channels has: names and numbers in turn.
            ///
            /// [PUBSUB SHARDNUMSUB](https://redis.io/docs/latest/commands/pubsub-shardnumsub/), Redis 7.0.0.
            fn pubsub_shardnumsub(channels: Arguments) -> Open = "PUBSUB", "SHARDNUMSUB", channels;
                example pubsub_shardnumsub(["a", "b"]) => ["PUBSUB", "SHARDNUMSUB", "a", "b"];

            /// Sends a message to a shard channel, and gives how many clients of this server got it.
            ///
            /// [SPUBLISH](https://redis.io/docs/latest/commands/spublish/), Redis 7.0.0.
            fn spublish(channel: Argument, message: Argument) -> Fixed<u64> = "SPUBLISH", channel, message;
                example spublish("orders", "hello") => ["SPUBLISH", "orders", "hello"];
        }
    };
}
pub(super) use pubsub_commands;

pubsub_commands!(functions);

functions! {
    /// Subscribes to the channels whose names match patterns.
    ///
    /// [PSUBSCRIBE](https://redis.io/docs/latest/commands/psubscribe/), Redis 2.0.0.
    fn psubscribe(patterns: Arguments) -> Fixed<()> = "PSUBSCRIBE", patterns;
        example psubscribe("news.*") => ["PSUBSCRIBE", "news.*"];

    /// Ends subscriptions by pattern: these, or all with `()`.
    ///
    /// [PUNSUBSCRIBE](https://redis.io/docs/latest/commands/punsubscribe/), Redis 2.0.0.
    fn punsubscribe(patterns: Arguments) -> Fixed<()> = "PUNSUBSCRIBE", patterns;
        example punsubscribe(()) => ["PUNSUBSCRIBE"];

    /// Subscribes to shard channels, which in a cluster have to be in one slot of this node.
    ///
    /// [SSUBSCRIBE](https://redis.io/docs/latest/commands/ssubscribe/), Redis 7.0.0.
    fn ssubscribe(channels: Arguments) -> Fixed<()> = "SSUBSCRIBE", channels;
        example ssubscribe("orders") => ["SSUBSCRIBE", "orders"];

    /// Subscribes to channels.
    ///
    /// [SUBSCRIBE](https://redis.io/docs/latest/commands/subscribe/), Redis 2.0.0.
    fn subscribe(channels: Arguments) -> Fixed<()> = "SUBSCRIBE", channels;
        example subscribe(["a", "b"]) => ["SUBSCRIBE", "a", "b"];

    /// Ends subscriptions to shard channels: to these, or to all with `()`.
    ///
    /// [SUNSUBSCRIBE](https://redis.io/docs/latest/commands/sunsubscribe/), Redis 7.0.0.
    fn sunsubscribe(channels: Arguments) -> Fixed<()> = "SUNSUBSCRIBE", channels;
        example sunsubscribe("orders") => ["SUNSUBSCRIBE", "orders"];

    /// Ends subscriptions to channels: to these, or to all with `()`.
    ///
    /// [UNSUBSCRIBE](https://redis.io/docs/latest/commands/unsubscribe/), Redis 2.0.0.
    fn unsubscribe(channels: Arguments) -> Fixed<()> = "UNSUBSCRIBE", channels;
        example unsubscribe(()) => ["UNSUBSCRIBE"];
}

builder! {
    /// PUBSUB CHANNELS or PUBSUB SHARDCHANNELS and its pattern.
    PubSubChannels -> Open {
        /// Only channels whose names match.
        fn matching(pattern: Argument) = pattern;
    }
    example pubsub_channels().matching("news.*") => ["PUBSUB", "CHANNELS", "news.*"];
}
