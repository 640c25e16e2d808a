//! What every implementation of the storage port must hold, run on the real one and on the one in
//! memory. If they differ, the crash tests prove something about a disk that does not exist.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::io::{ErrorKind, IoSlice};
use std::path::Path;
use std::sync::Arc;

use commit_log::{EntryKind, FaultyStorage, OpenMode, RealStorage, Storage};

macro_rules! on_both_storages {
    ($($(#[$doc:meta])* $name:ident)*) => {
        mod real_storage {
            $(#[test]
            fn $name() {
                let folder = tempfile::tempdir().unwrap();
                super::$name(super::Arc::new(super::RealStorage), folder.path());
            })*
        }
        mod faulty_storage {
            use super::Storage;
            $(#[test]
            fn $name() {
                let storage = super::FaultyStorage::new(1);
                let root = std::path::Path::new("/disk");
                storage.create_directories(root).unwrap();
                super::$name(super::Arc::new(storage), root);
            })*
        }
    };
}

on_both_storages! {
    bytes_are_read_where_they_were_written
    buffers_are_written_one_after_the_other_however_many
    a_read_ends_at_the_end_of_the_file
    a_file_is_cut_and_grown_with_zeros
    open_modes_say_what_must_be_there
    a_file_opened_for_reading_cannot_be_written
    a_directory_lists_its_own_entries_by_name
    a_replaced_file_has_the_new_contents_and_leaves_nothing_beside_it
    a_small_file_is_read_whole_or_refused
    a_renamed_file_takes_the_place_of_another
    a_renamed_directory_takes_its_files_along
    a_removed_file_can_be_read_by_who_has_it_open
    directories_are_made_and_removed_with_all_in_them
    a_lock_is_held_once
}

type Disk = Arc<dyn Storage>;

fn write(storage: &Disk, path: &Path, contents: &[u8]) {
    let file = storage.open(path, OpenMode::Create).unwrap();
    file.write_at(&mut [IoSlice::new(contents)], 0).unwrap();
}

fn read(storage: &Disk, path: &Path) -> Vec<u8> {
    storage.read(path, 1 << 20).unwrap()
}

fn kind_of<T>(result: std::io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn bytes_are_read_where_they_were_written(storage: Disk, root: &Path) {
    let file = storage.open(&root.join("file"), OpenMode::CreateNew).unwrap();
    file.write_at(&mut [IoSlice::new(b"hello")], 3).unwrap();
    assert_eq!(file.bytes().unwrap(), 8);
    let mut buffer = [7; 8];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 8);
    assert_eq!(&buffer, b"\0\0\0hello");
    file.write_at(&mut [IoSlice::new(b"J")], 3).unwrap();
    assert_eq!(file.read_at_nowait(&mut buffer[..5], 3).unwrap(), Some(5));
    assert_eq!(&buffer[..5], b"Jello");
    file.sync_data().unwrap();
    storage.sync_directory(root).unwrap();
    assert_eq!(read(&storage, &root.join("file")), b"\0\0\0Jello");
}

fn buffers_are_written_one_after_the_other_however_many(storage: Disk, root: &Path) {
    let file = storage.open(&root.join("file"), OpenMode::Create).unwrap();
    let numbers: Vec<[u8; 4]> = (0..5000u32).map(u32::to_be_bytes).collect();
    let mut slices: Vec<_> = numbers.iter().map(|number| IoSlice::new(number)).collect();
    slices.insert(0, IoSlice::new(b""));
    slices.insert(777, IoSlice::new(b""));
    file.write_at(&mut slices, 0).unwrap();
    assert_eq!(read(&storage, &root.join("file")), numbers.concat());
    file.write_at(&mut [], 9).unwrap();
    assert_eq!(file.bytes().unwrap(), 20_000);
}

fn a_read_ends_at_the_end_of_the_file(storage: Disk, root: &Path) {
    write(&storage, &root.join("file"), b"abc");
    let file = storage.open(&root.join("file"), OpenMode::Read).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(file.read_at(&mut buffer, 1).unwrap(), 2);
    assert_eq!(file.read_at(&mut buffer, 3).unwrap(), 0);
    assert_eq!(file.read_at(&mut buffer, 100).unwrap(), 0);
}

fn a_file_is_cut_and_grown_with_zeros(storage: Disk, root: &Path) {
    write(&storage, &root.join("file"), b"abcdef");
    let file = storage.open(&root.join("file"), OpenMode::Write).unwrap();
    file.truncate(2).unwrap();
    file.truncate(4).unwrap();
    assert_eq!(read(&storage, &root.join("file")), b"ab\0\0");
}

fn open_modes_say_what_must_be_there(storage: Disk, root: &Path) {
    let path = root.join("file");
    let open = |mode| kind_of(storage.open(&path, mode));
    assert_eq!(open(OpenMode::Read), Some(ErrorKind::NotFound));
    assert_eq!(open(OpenMode::Write), Some(ErrorKind::NotFound));
    assert_eq!(open(OpenMode::CreateNew), None);
    assert_eq!(open(OpenMode::CreateNew), Some(ErrorKind::AlreadyExists));
    write(&storage, &path, b"kept");
    assert_eq!(open(OpenMode::Create), None);
    assert_eq!(read(&storage, &path), b"kept");
    let beneath = root.join("missing").join("file");
    assert_eq!(kind_of(storage.open(&beneath, OpenMode::Create)), Some(ErrorKind::NotFound));
}

fn a_file_opened_for_reading_cannot_be_written(storage: Disk, root: &Path) {
    write(&storage, &root.join("file"), b"abc");
    let file = storage.open(&root.join("file"), OpenMode::Read).unwrap();
    assert!(file.write_at(&mut [IoSlice::new(b"x")], 0).is_err());
    assert!(file.truncate(0).is_err());
    assert_eq!(read(&storage, &root.join("file")), b"abc");
}

fn a_directory_lists_its_own_entries_by_name(storage: Disk, root: &Path) {
    write(&storage, &root.join("b"), b"12345");
    storage.create_directories(&root.join("a").join("deeper")).unwrap();
    write(&storage, &root.join("a").join("hidden"), b"");
    write(&storage, &root.join("a-b"), b"");
    let entries = storage.list(root).unwrap();
    let seen: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.kind, e.bytes)).collect();
    let expected =
        [("a", EntryKind::Directory, 0), ("a-b", EntryKind::File, 0), ("b", EntryKind::File, 5)];
    assert_eq!(seen, expected);
    assert_eq!(kind_of(storage.list(&root.join("missing"))), Some(ErrorKind::NotFound));
}

fn a_replaced_file_has_the_new_contents_and_leaves_nothing_beside_it(storage: Disk, root: &Path) {
    let path = root.join("checkpoint");
    storage.replace(&path, b"first and longer").unwrap();
    storage.replace(&path, b"second").unwrap();
    assert_eq!(read(&storage, &path), b"second");
    assert_eq!(storage.list(root).unwrap().len(), 1);
}

fn a_small_file_is_read_whole_or_refused(storage: Disk, root: &Path) {
    write(&storage, &root.join("file"), b"12345");
    assert_eq!(storage.read(&root.join("file"), 5).unwrap(), b"12345");
    let too_large = kind_of(storage.read(&root.join("file"), 4));
    assert_eq!(too_large, Some(ErrorKind::FileTooLarge));
    assert_eq!(kind_of(storage.read(&root.join("none"), 4)), Some(ErrorKind::NotFound));
}

fn a_renamed_file_takes_the_place_of_another(storage: Disk, root: &Path) {
    write(&storage, &root.join("old"), b"old");
    write(&storage, &root.join("new"), b"new");
    storage.rename(&root.join("new"), &root.join("old")).unwrap();
    assert_eq!(read(&storage, &root.join("old")), b"new");
    let gone = kind_of(storage.rename(&root.join("new"), &root.join("old")));
    assert_eq!(gone, Some(ErrorKind::NotFound));
}

fn a_renamed_directory_takes_its_files_along(storage: Disk, root: &Path) {
    storage.create_directories(&root.join("orders-0")).unwrap();
    write(&storage, &root.join("orders-0").join("file"), b"abc");
    let file = storage.open(&root.join("orders-0").join("file"), OpenMode::Read).unwrap();
    storage.rename(&root.join("orders-0"), &root.join("gone")).unwrap();
    assert_eq!(read(&storage, &root.join("gone").join("file")), b"abc");
    assert_eq!(kind_of(storage.list(&root.join("orders-0"))), Some(ErrorKind::NotFound));
    let mut buffer = [0; 3];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 3);
}

fn a_removed_file_can_be_read_by_who_has_it_open(storage: Disk, root: &Path) {
    write(&storage, &root.join("file"), b"abc");
    let file = storage.open(&root.join("file"), OpenMode::Read).unwrap();
    storage.remove(&root.join("file")).unwrap();
    assert_eq!(kind_of(storage.remove(&root.join("file"))), Some(ErrorKind::NotFound));
    write(&storage, &root.join("file"), b"other");
    let mut buffer = [0; 3];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 3);
    assert_eq!(&buffer, b"abc");
}

fn directories_are_made_and_removed_with_all_in_them(storage: Disk, root: &Path) {
    let deep = root.join("a").join("b");
    storage.create_directories(&deep).unwrap();
    storage.create_directories(&deep).unwrap();
    write(&storage, &deep.join("file"), b"abc");
    storage.remove_directory_tree(&root.join("a")).unwrap();
    storage.remove_directory_tree(&root.join("a")).unwrap();
    assert!(storage.list(root).unwrap().is_empty());
}

fn a_lock_is_held_once(storage: Disk, root: &Path) {
    let path = root.join(".lock");
    let lock = storage.lock(&path).unwrap();
    assert_eq!(kind_of(storage.lock(&path)), Some(ErrorKind::WouldBlock));
    drop(lock);
    assert!(storage.lock(&path).is_ok());
}
