//! How Belay scales; all of it is in the library, since a package must have one.

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    belay_scale::run().await;
}
