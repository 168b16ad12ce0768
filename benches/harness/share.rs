//! A share of one CPU, as Lambda gives it by memory size: 1,769 MB are one (Lambda Developer Guide, "Configure Lambda
//! function memory"), so 128 MB are 0.0723.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::Trouble;

/// Where the kernel's CPU controller is mounted.
const MOUNTED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/cpu"];

/// The length of a period in microseconds. How Lambda slices is not documented; shorter periods than the kernel's usual
/// 100,000 blur the start less.
const PERIOD: f64 = 20_000.0;

/// The kernel gives no less in a period, in microseconds.
const LEAST: f64 = 1_000.0;

/// A control group for one process, as each of Lambda's environments has a share of its own; removed when dropped.
pub struct Share {
    folder: PathBuf,
}

impl Drop for Share {
    fn drop(&mut self) {
        // A process that has just been killed may still be in it; an empty group does no harm.
        let _ = fs::remove_dir(&self.folder);
    }
}

impl Share {
    /// Whoever is in it gets that much of one CPU.
    ///
    /// # Errors
    /// When it is less than the kernel can give, or the control groups here (version 2 or 1) cannot be written to.
    pub fn of(share: f64) -> Result<Self, Trouble> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let quota = (share * PERIOD).round();
        if quota.is_nan() || quota < LEAST {
            return Err(format!("a share of {share} cannot be given: {} is the least", LEAST / PERIOD).into());
        }
        let name = format!("belay-bench-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut why = String::from("there is no CPU controller");
        for mounted in MOUNTED {
            let folder = PathBuf::from(mounted).join(&name);
            if let Err(error) = fs::create_dir(&folder) {
                why = format!("{}: {error}", folder.display());
                continue;
            }
            let group = Self { folder };
            // Never made anew: a folder that is no control group would take any file, and hold nobody.
            let limit = |name: &str, value: String| {
                let mut file = fs::OpenOptions::new().write(true).open(group.folder.join(name))?;
                file.write_all(value.as_bytes())
            };
            let limited = if group.folder.join("cpu.max").exists() {
                limit("cpu.max", format!("{quota} {PERIOD}"))
            } else {
                limit("cpu.cfs_period_us", PERIOD.to_string())
                    .and_then(|()| limit("cpu.cfs_quota_us", quota.to_string()))
            };
            match limited {
                Ok(()) => return Ok(group),
                Err(error) => why = format!("{}: {error}", group.folder.display()),
            }
        }
        Err(format!("no share of the CPU can be given here: {why}").into())
    }

    /// The group's folder.
    pub fn folder(&self) -> String {
        self.folder.display().to_string()
    }
}
