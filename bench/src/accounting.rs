//! What the operating system says a process has used: CPU time and resident memory, and the kernel's
//! own. Called around a measured section. Linux only; elsewhere there is no `/proc`, every figure is `None`, and the table says "not measured".

use std::time::Duration;

/// User and system time of a process so far, all its threads, also those that have ended.
///
/// Read from the process's CPU clock (`clock_getcpuclockid(3)`), which is the scheduler's own count in
/// nanoseconds. `/proc/<pid>/stat` has the same sum in ticks of 10 ms, and `/proc/<pid>/task/*/schedstat` forgets
/// the threads that have ended. Child processes are not included.
#[cfg(target_os = "linux")]
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).ok()?);
    let clock = nix::time::ClockId::pid_cpu_clock_id(pid).ok()?;
    clock.now().ok().map(Duration::from)
}

/// Not measured here.
#[cfg(not(target_os = "linux"))]
pub fn cpu_time(_pid: u32) -> Option<Duration> {
    None
}

/// Resident memory in bytes: `VmRSS` of `/proc/<pid>/status`.
pub fn resident(pid: u32) -> Option<u64> {
    kilobytes(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:")
}

/// The most resident memory in bytes that a process has had since it began, or since [`forget_peak`]: `VmHWM`.
pub fn peak_resident(pid: u32) -> Option<u64> {
    kilobytes(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmHWM:")
}

/// Lets the peak begin at what there is now (`proc_pid_clear_refs(5)`). Where it is refused, the peak is that of all.
pub fn forget_peak(pid: u32) {
    let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// How many file descriptors a process has open.
pub fn open_descriptors(pid: u32) -> Option<usize> {
    Some(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

/// How many threads a process has.
pub fn threads(pid: u32) -> Option<usize> {
    Some(std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.count())
}

/// A line of such a file, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The kernel's own memory in bytes, for all processes: `Slab` of `/proc/meminfo`, where sockets and open files are. What
/// waits in a socket's buffers is not in it.
pub fn kernel() -> Option<u64> {
    kilobytes(&std::fs::read_to_string("/proc/meminfo").ok()?, "Slab:")
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn shell(script: &str) -> Running {
        let child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
        Running(child)
    }

    #[test]
    fn a_busy_child_is_charged_and_a_waiting_one_is_not() {
        let busy = shell("while :; do :; done");
        let waiting = shell("read line");
        // Waits for the busy one's own clock: nothing here depends on how fast the machine is.
        while cpu_time(busy.0.id()).unwrap() < Duration::from_millis(200) {
            std::thread::yield_now();
        }
        assert!(cpu_time(waiting.0.id()).unwrap() < Duration::from_millis(100));
    }

    #[test]
    fn time_of_threads_that_have_ended_still_counts() {
        let this = std::process::id();
        let before = cpu_time(this).unwrap();
        let spent = std::thread::spawn(|| {
            let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
            let start = Duration::from(clock.now().unwrap());
            while Duration::from(clock.now().unwrap()) - start < Duration::from_millis(50) {}
            Duration::from_millis(50)
        })
        .join()
        .unwrap();
        assert!(cpu_time(this).unwrap() - before >= spent);
    }

    #[test]
    fn a_process_that_is_gone_has_no_figures() {
        let mut child = shell("exit 0");
        child.0.wait().unwrap();
        assert_eq!(cpu_time(child.0.id()), None);
        assert_eq!(resident(child.0.id()), None);
    }

    #[test]
    fn resident_memory_is_read_in_kilobytes() {
        let status = "Name:\tx\nVmRSS:\t    1708 kB\nRssAnon:\t 12 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(1708 * 1024));
        assert_eq!(kilobytes(status, "VmSwap:"), None);
        assert!(resident(std::process::id()).unwrap() > 100_000);
        assert!(kernel().unwrap() > 100_000);
    }
}
