//! From a conversation that finds something to the shortest one that finds the same.

use crate::check::Problem;
use crate::plan::{ENOUGH, Login, Setup, Step};

/// How often a conversation is held again, at most.
const ATTEMPTS: usize = 400;

/// Leaves out what can be left out while `hold` finds the same kind of problem.
pub fn shrink(
    setup: Setup,
    steps: Vec<Step>,
    found: Problem,
    mut hold: impl FnMut(&Setup, &[Step]) -> Option<Problem>,
) -> (Setup, Vec<Step>, Problem) {
    let mut best = (setup, steps, found);
    let mut attempts = 0;
    let mut attempt = |best: &mut (Setup, Vec<Step>, Problem), setup: Setup, steps: Vec<Step>| {
        if attempts >= ATTEMPTS || (setup == best.0 && steps == best.1) {
            return false;
        }
        attempts += 1;
        match hold(&setup, &steps) {
            Some(problem) if problem.kind == best.2.kind => {
                *best = (setup, steps, problem);
                true
            }
            _ => false,
        }
    };
    let mut chunk = best.1.len();
    while chunk > 0 {
        let mut at = 0;
        let mut any = false;
        while at < best.1.len() {
            let mut fewer = best.1.clone();
            fewer.drain(at..fewer.len().min(at + chunk));
            let setup = best.0.clone();
            if attempt(&mut best, setup, fewer) { any = true } else { at += chunk }
        }
        // The last one out may have made others superfluous.
        if !(chunk == 1 && any) {
            chunk /= 2;
        }
    }
    for simpler in SIMPLER {
        let mut setup = best.0.clone();
        simpler(&mut setup);
        let steps = best.1.clone();
        attempt(&mut best, setup, steps);
    }
    for at in (0..best.0.forbidden.len()).rev() {
        let mut setup = best.0.clone();
        setup.forbidden.remove(at);
        let steps = best.1.clone();
        attempt(&mut best, setup, steps);
    }
    for at in 0..best.1.len() {
        // Names one by one, and what was asked besides.
        for last in (1..4).rev() {
            let mut steps = best.1.clone();
            let Some(Step::Send { words, streamed, timeout }) = steps.get_mut(at) else { break };
            if last < words.len() {
                words.remove(last);
            }
            (*streamed, *timeout) = (false, None);
            let setup = best.0.clone();
            attempt(&mut best, setup, steps);
        }
    }
    best
}

const SIMPLER: [fn(&mut Setup); 12] = [
    |setup| setup.lent = false,
    |setup| setup.receive = ENOUGH,
    |setup| setup.transmit = ENOUGH,
    |setup| setup.piece = usize::MAX,
    |setup| setup.login = Login::None,
    |setup| setup.name = None,
    |setup| setup.database = 0,
    |setup| setup.library = false,
    |setup| setup.timeout = None,
    |setup| setup.health_check = None,
    |setup| setup.some_channels = false,
    |setup| setup.resp3 = true,
];
