//! The one WebAssembly engine: what guests may use, how many run at once, and the clock that interrupts them.
//!
//! Built once at start. The pool's numbers are here and nowhere else, each with its reason.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Hooks that may run at once. A hook takes microseconds, so a slot is free again at once; the number bounds the
/// address space that the pool reserves (slots × memory limit).
pub const SLOTS: u32 = 256;
/// Rewriters that may live at once, beside the hooks: each keeps its slot for as long as its stream lasts.
pub const REWRITERS: u32 = 768;
/// All slots of the pool.
const POOL: u32 = SLOTS + REWRITERS;
/// A hook's instance touches some 10 pages; what is kept resident beyond them is never asked for again.
const KEEP_RESIDENT: usize = 256 << 10;
/// Guests recurse over nothing deep; a stack overflow is a trap that ends one request.
const WASM_STACK: usize = 512 << 10;

/// How much one call of a hook may use.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// CPU time of its thread, host calls included.
    pub cpu: Duration,
    /// Linear memory in bytes.
    pub memory: usize,
    /// Time on the wall, waiting for a core included.
    pub wall: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { cpu: Duration::from_millis(20), memory: 64 << 20, wall: Duration::from_secs(5) }
    }
}

/// Bytes that a hook gets as much CPU time for again as it has at all: 200 ms for each megabyte with the default budget.
const MORE_FOR: usize = 100 << 10;
/// The most that it gets for all of them.
const MORE_AT_MOST: Duration = Duration::from_secs(2);

impl Budget {
    /// The budget of a hook that has so many bytes to read: whoever reads every message of a long conversation is not
    /// one that loops.
    pub(super) fn with(self, bytes: usize) -> Self {
        let more = self.cpu.mul_f64(bytes as f64 / MORE_FOR as f64).min(MORE_AT_MOST);
        // In whole milliseconds: the clock that looks at it does not tick more often.
        Budget { cpu: self.cpu + Duration::from_millis(more.as_millis() as u64), ..self }
    }
}

/// What the engine allows a guest, shared by the pool and by the compiler's child process: both must agree, or compiled
/// code would not load.
/// Threads, the component model's async and Winch are not even compiled in.
pub fn settings() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_memory64(false)
        // Components that are composed of others, as QuickJS guests are, pass data between two memories.
        .wasm_multi_memory(true)
        .wasm_gc(false)
        .wasm_exceptions(false)
        .concurrency_support(false)
        .gc_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(WASM_STACK + (256 << 10))
        // A trap's message names the function; addresses of a stripped guest say nothing to anybody.
        .generate_address_map(false)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(8));
    config
}

/// The pool that hooks run in.
fn pool(memory: usize) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOL)
        // Counters without memory of their own: Python's guests have 26 modules that stand in for WASI.
        .total_core_instances(POOL * 16)
        .max_core_instances_per_component(64)
        // One that is composed of several has a memory for each.
        .max_memories_per_component(8)
        .max_tables_per_component(64)
        .total_memories(POOL)
        .total_tables(POOL * 4)
        .total_stacks(POOL)
        .total_gc_heaps(0)
        .max_memory_size(memory)
        .table_elements(65_536)
        .max_core_instance_size(1 << 20)
        .max_component_instance_size(1 << 20)
        .max_unused_warm_slots(POOL)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine cannot start: {0}")]
pub struct EngineError(wasmtime::Error);

/// An engine with its clock. Cloning shares both.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    clock: Arc<Clock>,
    budget: Budget,
}

impl Runtime {
    /// Builds the pooling engine that serves requests.
    pub fn new(budget: Budget) -> Result<Self, EngineError> {
        let mut config = settings();
        config
            .memory_reservation(budget.memory as u64)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(budget.memory)));
        Self::with(config, budget)
    }

    /// Builds an engine from a configuration that the caller has changed, such as one that hands out its own memory.
    pub fn with(config: Config, budget: Budget) -> Result<Self, EngineError> {
        let engine = Engine::new(&config).map_err(EngineError)?;
        Ok(Runtime { clock: Clock::start(engine.clone()), engine, budget })
    }

    /// The engine itself.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What one hook may use.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// Keeps the clock ticking while the guard lives.
    pub(super) fn ticking(&self) -> Ticking<'_> {
        self.clock.active.fetch_add(1, Ordering::SeqCst);
        self.clock.started.fetch_add(1, Ordering::SeqCst);
        if self.clock.parked.load(Ordering::SeqCst) {
            self.clock.wake();
        }
        Ticking { clock: &self.clock }
    }

    /// Names everything that compiled code depends on: another value means that it must be compiled again.
    pub fn compatibility(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

/// Advances the engine's epoch once a millisecond while hooks run, and sleeps when none has run for a while.
struct Clock {
    active: AtomicUsize,
    started: AtomicUsize,
    parked: AtomicBool,
    thread: OnceLock<std::thread::Thread>,
}

impl Clock {
    /// Ticks without any hook before the thread sleeps: waking it costs a system call, which a busy gateway should not
    /// pay for each request.
    const GRACE: u32 = 64;

    fn start(engine: Engine) -> Arc<Self> {
        let clock = Arc::new(Clock {
            active: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            thread: OnceLock::new(),
        });
        let weak = Arc::downgrade(&clock);
        let spawned = std::thread::Builder::new().name("epoch".into()).spawn(move || tick(&weak, &engine));
        match spawned {
            Ok(handle) => {
                let _ = clock.thread.set(handle.thread().clone());
            }
            Err(error) => tracing::error!(%error, "no thread for the plugin clock: CPU budgets are not enforced"),
        }
        clock
    }

    fn wake(&self) {
        if self.parked.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}

/// The clock's thread; it ends with the last owner of the engine.
fn tick(clock: &Weak<Clock>, engine: &Engine) {
    let (mut quiet, mut seen) = (0, 0);
    while let Some(clock) = clock.upgrade() {
        let started = clock.started.load(Ordering::SeqCst);
        quiet = if started == seen && clock.active.load(Ordering::SeqCst) == 0 { quiet + 1 } else { 0 };
        seen = started;
        if quiet < Clock::GRACE {
            drop(clock);
            std::thread::sleep(Duration::from_millis(1));
            engine.increment_epoch();
            continue;
        }
        clock.parked.store(true, Ordering::SeqCst);
        // A hook that began before the flag was set did not wake anybody: look once more.
        let unseen = clock.started.load(Ordering::SeqCst) != seen;
        drop(clock);
        if !unseen {
            // The timeout is only for noticing that the engine is gone.
            std::thread::park_timeout(Duration::from_secs(1));
        }
    }
}

/// While one lives, the engine's clock ticks.
pub(super) struct Ticking<'a> {
    clock: &'a Clock,
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.clock.active.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::Store;
    use wasmtime::component::{Component, Linker};

    use super::*;

    /// A component that is composed of two, each with a memory of its own: one hands the other a text.
    const COMPOSED: &str = r#"(component
        (component $counts
            (core module $m (memory (export "mem") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16))
                (func (export "len") (param i32 i32) (result i32) (local.get 1)))
            (core instance $i (instantiate $m))
            (func (export "len") (param "s" string) (result u32)
                (canon lift (core func $i "len") (memory (core memory $i "mem")) (realloc (core func $i "realloc")))))
        (component $asks
            (import "len" (func $len (param "s" string) (result u32)))
            (core module $libc (memory (export "mem") 1) (data (i32.const 0) "hello")
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16)))
            (core instance $l (instantiate $libc))
            (core func $lowered
                (canon lower (func $len) (memory (core memory $l "mem")) (realloc (core func $l "realloc"))))
            (core module $main (import "" "len" (func $len (param i32 i32) (result i32)))
                (func (export "run") (result i32) (call $len (i32.const 0) (i32.const 5))))
            (core instance $x (instantiate $main (with "" (instance (export "len" (func $lowered))))))
            (func (export "run") (result u32) (canon lift (core func $x "run"))))
        (instance $a (instantiate $counts))
        (instance $b (instantiate $asks (with "len" (func $a "len"))))
        STUBS
        (export "run" (func $b "run")))"#;

    #[tokio::test]
    async fn components_of_several_memories_and_many_modules_run_in_the_pool() {
        let runtime = Runtime::new(Budget { memory: 16 << 20, ..Budget::default() }).unwrap();
        // As componentize-py stubs WASI: a module for each interface, each with a table.
        let stubs: String = (0..50)
            .map(|number| {
                format!("(core module $s{number} (table 1 funcref)) (core instance (instantiate $s{number}))")
            })
            .collect();
        let bytes = wat::parse_str(COMPOSED.replace("STUBS", &stubs)).unwrap();
        let component = Component::new(runtime.engine(), bytes).unwrap();
        let instance = Linker::new(runtime.engine()).instantiate_pre(&component).unwrap();
        for _ in 0..20 {
            let mut store = Store::new(runtime.engine(), ());
            store.set_epoch_deadline(1_000_000);
            let instance = instance.instantiate_async(&mut store).await.unwrap();
            let run = instance.get_typed_func::<(), (u32,)>(&mut store, "run").unwrap();
            assert_eq!(run.call_async(&mut store, ()).await.unwrap(), (5,));
        }
    }
}
