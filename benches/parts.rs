//! What does each part cost by itself: a place in line, a timer, a group of the log, a record, a
//! month of slots, an estimate?
//!
//! Each is measured by Criterion at more than one size, so that its growth can be seen. Routing has
//! a benchmark of its own, since it needs a world to route in.
//!
//! Run with `cargo bench --bench parts`.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use ringback::domain::callback::{Channel, Customer, Origin, Request};
use ringback::domain::effect::{Change, StepOutput};
use ringback::domain::estimate::{Ahead, Estimator};
use ringback::domain::ids::{CallbackId, Fresh, QueueId, WorkspaceId};
use ringback::domain::machines::scheduler::{SchedulerMachine, WindowLimits};
use ringback::domain::message::{Machine, SchedulerMessage, Who, Wish};
use ringback::domain::policy::{Medium, QueueSettings};
use ringback::domain::ranked::RankedSet;
use ringback::domain::slots::{Bookings, Seat, SlotBook, Staffing};
use ringback::domain::time::{Now, Span, Timestamp};
use ringback::engine::clock::Clock;
use ringback::engine::entry::Entry;
use ringback::engine::library::Codec;
use ringback::engine::outward::Outward;
use ringback::engine::system::{EngineConfig, Limits, Workspace};
use ringback::store::index::RowCodec;
use ringback::store::library::StoreLibrary;
use ringback::store::{MemoryStore, OpenStore, StoreUrl};
use tokio::runtime::Runtime;

const START: Timestamp = Timestamp(1_800_000_000_000);
const PENDING: u32 = 1_000_000;

fn now(at: Timestamp) -> Now {
    Now { wall: at, steady: at, fresh: Fresh(0) }
}

/// Numbers that jump about, none twice (a multiplicative hash).
fn scattered(number: u32) -> u32 {
    number.wrapping_mul(2_654_435_761)
}

/// One comes, is told its place, and goes.
fn queue_order(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("place in line");
    for length in [1_000, 10_000, 100_000_u32] {
        let mut line = RankedSet::new();
        for number in 0..length {
            line.insert((scattered(number), number));
        }
        let mut next = length;
        group.bench_function(BenchmarkId::from_parameter(length), |bencher| {
            bencher.iter(|| {
                next = next.wrapping_add(1);
                let key = (scattered(next), next);
                line.insert(key);
                black_box(line.rank_of(&key));
                line.remove(&key);
            });
        });
    }
}

/// A timer among a million: set and cancelled, and fired.
fn timers(criterion: &mut Criterion) {
    let timer = |number: u32, at: Option<Timestamp>| SchedulerMessage::SetTimer {
        machine: Machine::Callback(CallbackId(u128::from(number))),
        wall: at,
        steady: None,
    };
    let limits = WindowLimits { items: 10_000, span: Span::seconds(300) };
    let mut scheduler = SchedulerMachine::new(limits);
    let mut out = StepOutput::default();
    for number in 0..PENDING {
        let at = START + Span::seconds(1 + scattered(number) % 86_400);
        scheduler.step(&now(START), timer(number, Some(at)), &mut out);
    }
    out.effects.clear();
    let mut group = criterion.benchmark_group("timer among 1,000,000");
    let mut next = PENDING;
    group.bench_function("set and cancel", |bencher| {
        bencher.iter(|| {
            next = next.wrapping_add(1).max(PENDING);
            let at = START + Span::seconds(1 + scattered(next) % 86_400);
            scheduler.step(&now(START), timer(next, Some(at)), &mut out);
            scheduler.step(&now(START), timer(next, None), &mut out);
            out.effects.clear();
        });
    });
    group.bench_function("set and fire", |bencher| {
        bencher.iter(|| {
            scheduler.step(&now(START), timer(PENDING, Some(START)), &mut out);
            scheduler.step(&now(START), SchedulerMessage::Tick { permits: 1 }, &mut out);
            black_box(out.effects.len());
            out.effects.clear();
        });
    });
}

/// Entries of 1 KiB onto the embedded log, so many in a group: what an fsync is shared by.
fn groups(criterion: &mut Criterion, runtime: &Runtime) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("embedded:{}", folder.path().display());
    let url: StoreUrl = url.parse().expect("a URL");
    let workspace = WorkspaceId::parse("main").expect("a slug");
    let OpenStore { mut log, tables: _tables } =
        runtime.block_on(url.open(&workspace)).expect("nobody else has it open");
    let mut last = runtime.block_on(log.take()).expect("it can be taken").last;
    let mut group = criterion.benchmark_group("durable group of the log");
    for entries in [1_u64, 16, 64, 256] {
        let length = usize::try_from(entries).expect("small");
        group.throughput(Throughput::Elements(entries));
        group.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
            bencher.iter_batched(
                || vec![Bytes::from(vec![b'x'; 1_024]); length],
                |many| {
                    runtime.block_on(log.append(last + 1, many)).expect("it is written");
                    last += entries;
                    runtime.block_on(log.trim(last + 1)).expect("it is trimmed");
                },
                BatchSize::PerIteration,
            );
        });
    }
}

fn wish() -> Wish {
    let text = |text: &str| Some(text.to_owned());
    let customer = Customer {
        id: text("CON0042"),
        kind: None,
        account: text("ACME"),
        name: "Ada Lovelace".to_owned(),
        phone: None,
        phone_extension: None,
        email: None,
        time_zone: None,
        locale: text("en-US"),
    };
    let origin = Origin {
        channel: Channel::Portal,
        interaction_ref: None,
        case_id: None,
        page_url: None,
        waiting_since: None,
    };
    let request = Request {
        version: 1,
        customer,
        reason: None,
        short_description: text("Charged twice"),
        description: text("The invoice of last month shows the same line twice."),
        origin,
        context: None,
        external_id: text("X-42"),
        customer_agreed: false,
    };
    Wish::asap(QueueId::parse("billing").expect("a slug"), Who::Channel, request)
}

/// The entry of a callback that the engine has made: its records and index rows.
async fn entry() -> Entry {
    let config = EngineConfig {
        workspace: WorkspaceId::parse("main").expect("a slug"),
        limits: Limits::default(),
        queues: vec![QueueSettings::new(wish().queue)],
        agents: Vec::new(),
        keys: Vec::new(),
        secret: None,
        clock: Arc::new(Clock::system()),
        outward: Outward::default(),
    };
    let OpenStore { log, tables } = MemoryStore::new().open();
    let library = Box::new(|rows| Arc::new(StoreLibrary::new(rows)) as Arc<_>);
    let started = Workspace::start(config, log, tables, Arc::new(RowCodec), library).await;
    let (handle, running) = started.expect("it starts");
    let made = handle.create(wish(), None).await.expect("taken").value.callback;
    running.drain().await;
    let request = Change::Request { callback: made.id, before: None, after: wish().request };
    let callback = Change::Callback { before: None, after: made };
    let changes = vec![request, callback];
    Entry { at: START, changes, events: Vec::new(), kept: None, secret: None }
}

/// A new callback's rows, packed and read again.
fn records(criterion: &mut Criterion, runtime: &Runtime) {
    let entry = runtime.block_on(entry());
    let packed = RowCodec.rows(1, &entry).bytes;
    let mut group = criterion.benchmark_group("record of a new callback");
    group.throughput(Throughput::Bytes(packed.len() as u64));
    group.bench_function("to rows and packed", |bencher| {
        bencher.iter(|| RowCodec.rows(1, black_box(&entry)));
    });
    group.bench_function("unpacked", |bencher| {
        bencher.iter(|| RowCodec.unpack(black_box(&packed)).expect("it was packed here"));
    });
}

/// All slots of 31 days with what is left of them, by how many are booked.
fn slots(criterion: &mut Criterion) {
    let settings = QueueSettings::new(wish().queue);
    let mut group = criterion.benchmark_group("slots of a month");
    for booked in [0, 1_000, 100_000_u32] {
        let mut bookings = Bookings::default();
        for number in 0..booked {
            let quarter = Span::minutes(15 * (scattered(number) % (31 * 96)));
            bookings.take(Seat { medium: Medium::Voice, start: Some(START + quarter) });
        }
        let staffing = Staffing::default();
        let book = SlotBook { settings: &settings, bookings: &bookings, staffing, now: START };
        group.bench_function(BenchmarkId::from_parameter(booked), |bencher| {
            bencher.iter(|| book.slots(Medium::Voice, START, START + Span::days(31)).count());
        });
    }
}

/// A wait estimated, by the length of the line.
fn estimates(criterion: &mut Criterion) {
    let mut estimator = Estimator::new();
    for number in 0..1_000 {
        estimator.served(Span::seconds(60 + scattered(number) % 600));
        estimator.waited(Span::seconds(scattered(number) % 300));
    }
    estimator.gave_up();
    let mut group = criterion.benchmark_group("estimate of a wait");
    for waiting in [1, 100, 10_000] {
        let ahead = Ahead { waiting, busy: 50, free: 0 };
        group.bench_function(BenchmarkId::from_parameter(waiting), |bencher| {
            bencher.iter(|| estimator.estimate(black_box(ahead)));
        });
    }
}

fn main() {
    let runtime = Runtime::new().expect("threads");
    let mut criterion = Criterion::default().configure_from_args();
    queue_order(&mut criterion);
    timers(&mut criterion);
    groups(&mut criterion, &runtime);
    records(&mut criterion, &runtime);
    slots(&mut criterion);
    estimates(&mut criterion);
    criterion.final_summary();
}
