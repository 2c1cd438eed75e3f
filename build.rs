//! Has cargo look at the built pages, so that the next build embeds what `make web` made.

fn main() {
    // A folder that is not there would count as changed at every build.
    let _ = std::fs::create_dir_all("web/dist");
    println!("cargo::rerun-if-changed=web/dist");
}
