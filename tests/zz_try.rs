#![allow(clippy::all, missing_docs)]
use dicast::actors::{Scope, Waker, agents::process::Children, repo};
#[test]
fn try_it() {
    let Ok(root) = std::env::var("TRY_ROOT") else { return };
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    rt.block_on(async {
        let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
        let h = repo::spawn(&scope, Children::new(&scope));
        let t = std::time::Instant::now();
        let o = h.survey(root.into(), Default::default()).await;
        match o {
            Ok(o) => {
                println!("{}", dicast::cli::check::text(&o.report));
                println!("{:?} git={:?} took {} ms, {:?}", o.hooks, o.git, o.took_ms, t.elapsed());
            }
            Err(e) => println!("ERR {e}"),
        }
    });
}
