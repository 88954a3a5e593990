//! Many files as one: a gzipped tar whose bytes depend on the names and bytes of the files and nothing else, and its
//! reading back, which trusts nobody.
//!
//! It must not know what the files mean, nor where they lie.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::vault::inside;
use crate::domain::failure::Failure;

/// Most bytes that a pack holds, unpacked: it is made in memory, and a run takes some megabytes.
const PACK_MAX: u64 = 1 << 30;

/// Most files that a pack holds: a run has some hundred.
const FILES_MAX: usize = 100_000;

/// Permissions of every file in a pack.
const MODE: u32 = 0o644;

/// Packs files, in the order of their paths. No time, owner or permission of the originals goes in.
pub(super) fn pack(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, Failure> {
    let bytes: u64 = files.values().map(|bytes| bytes.len() as u64).sum();
    if bytes > PACK_MAX || files.len() > FILES_MAX {
        return Err(unusable(format!("{} files of {bytes} bytes are too many for one archive", files.len())));
    }
    let failed = |e: io::Error| unusable(e.to_string());
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(MODE);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, path, bytes.as_slice()).map_err(failed)?;
    }
    builder.into_inner().and_then(GzEncoder::finish).map_err(failed)
}

/// Reads a pack: plain files below the evidence root, each once, under caps.
pub(super) fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let failed = |e: io::Error| unusable(e.to_string());
    // A bomb is cut off by its unpacked length.
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(PACK_MAX));
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        inside("".as_ref(), &path)?;
        if !entry.header().entry_type().is_file() {
            return Err(unusable(format!("{path:?} is no plain file")));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(failed)?;
        if files.insert(path.clone(), bytes).is_some() {
            return Err(unusable(format!("{path:?} stands in it twice")));
        }
        if files.len() > FILES_MAX {
            return Err(unusable(format!("it holds more than {FILES_MAX} files")));
        }
    }
    // The checksum stands behind the end of the tar: only a read to the end compares it.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(failed)?;
    Ok(files)
}

fn unusable(why: String) -> Failure {
    Failure::BadInput {
        place: "the archive".into(),
        why,
        next: "make it again with `dicast evidence bundle` or `archive`".into(),
        exit: 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> BTreeMap<String, Vec<u8>> {
        let long = format!("consensus/001-x/R/late/{}-{}", "a".repeat(64), "b".repeat(100));
        [("consensus/001-x/R/a".to_owned(), b"1".to_vec()), (long, vec![7; 100_000]), ("b".into(), vec![])].into()
    }

    #[test]
    fn a_pack_reads_back_equal_and_equal_files_make_equal_bytes() {
        let packed = pack(&files()).unwrap();
        assert_eq!(unpack(&packed).unwrap(), files());
        assert_eq!(pack(&unpack(&packed).unwrap()).unwrap(), packed);
        assert!(packed.len() < 10_000);
    }

    #[test]
    fn a_pack_that_leads_out_lies_or_is_cut_off_is_refused() {
        let tar = |path: &str, kind: tar::EntryType| {
            let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(1);
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, &b"x"[..]).unwrap();
            builder.into_inner().unwrap().finish().unwrap()
        };
        assert!(unpack(&tar("a/b", tar::EntryType::Regular)).is_ok());
        for bad in ["../a", "/etc/passwd", "a/../../b", "a/.git/config", "a//b"] {
            assert!(unpack(&tar(bad, tar::EntryType::Regular)).is_err(), "{bad}");
        }
        assert!(unpack(&tar("a", tar::EntryType::Symlink)).is_err());
        let packed = pack(&files()).unwrap();
        for end in [0, 1, 20, packed.len() / 2, packed.len() - 4] {
            assert!(unpack(&packed[..end]).is_err(), "{end}");
        }
    }
}
