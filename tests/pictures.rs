//! `pictures`: writes the pictures of Belay's cards and widget as pages of HTML, for `docs/cards/photograph`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anstream::{eprintln, println};
use belay_tests::stage::pictures;
use clap::Parser;

/// Write every picture of Belay's cards and widget as a page of HTML, and print its folder and name.
#[derive(Parser)]
#[command(name = "pictures", version, max_term_width = 100)]
struct Arguments {
    /// The folder to write into; it is made if there is none
    folder: PathBuf,
}

fn main() -> ExitCode {
    let folder = Arguments::parse().folder;
    match write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} cannot be written: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    for picture in pictures::all() {
        let folder = folder.join(picture.folder);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(picture.name).with_extension("html"), picture.html)?;
        println!("{}/{}", picture.folder, picture.name);
    }
    Ok(())
}
