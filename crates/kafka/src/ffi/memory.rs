//! How the allocator of the process, from which librdkafka and Rust both take their memory, keeps what was given back.

/// Call it once, before there are threads. Where the C library is not glibc, nothing is done.
///
/// glibc gives threads that allocate at the same time heaps of their own, eight for each core at most, and a heap keeps
/// what its threads gave back. A cluster's clients have some forty threads, and what a refresh reads is taken by one
/// thread and given back by another, so that each heap grew to what a refresh needs.
pub fn share_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, value) in [
        (libc::M_ARENA_MAX, 1),
        // Larger pieces are mapped by themselves and are gone when they are given back. glibc would raise this bound to
        // the largest piece that was ever given back, up to 32 MiB.
        (libc::M_MMAP_THRESHOLD, 1 << 20),
        // What may lie unused at the heap's end: a page's needs, or each page would ask the kernel for memory anew.
        (libc::M_TRIM_THRESHOLD, 4 << 20),
    ] {
        // SAFETY: it sets a number of the allocator under the allocator's own lock. It fails for a parameter that is not
        // known, and changes nothing then.
        unsafe { libc::mallopt(parameter, value) };
    }
}
