//! Compressed payloads: gzip, zstd, LZ4 and Snappy are recognised by how they begin and unwrapped up to a bound, so that
//! a small record that would unpack to gigabytes costs no more than a large one.

use std::io::Read;

use crate::input::{Input, Result, Stop};

/// Layers of compression, one in the other, that are unwrapped.
pub(crate) const LAYERS_MAX: usize = 3;
/// The window of zstd's longest matches that is kept in memory: 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
    Lz4,
    /// Snappy's own framing.
    SnappyFramed,
    /// The framing of Java's snappy library, which some Kafka clients use.
    SnappyJava,
    /// Nothing tells it from other bytes: only where it was chosen.
    Snappy,
}

impl Compression {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "LZ4",
            Self::SnappyFramed | Self::SnappyJava | Self::Snappy => "Snappy",
        }
    }

    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let begins = |magic: &[u8]| bytes.starts_with(magic);
        match () {
            () if begins(&[0x1f, 0x8b, 0x08]) => Some(Self::Gzip),
            () if begins(&[0x28, 0xb5, 0x2f, 0xfd]) => Some(Self::Zstd),
            () if begins(&[0x04, 0x22, 0x4d, 0x18]) => Some(Self::Lz4),
            () if begins(b"\xff\x06\x00\x00sNaPpY") => Some(Self::SnappyFramed),
            () if begins(b"\x82SNAPPY\0") => Some(Self::SnappyJava),
            () => None,
        }
    }
}

/// What was in it.
pub(crate) struct Unwrapped {
    pub(crate) bytes: Vec<u8>,
    /// False: only the beginning, since the bound was reached or the compressed bytes were cut.
    pub(crate) whole: bool,
}

/// At most `most` bytes; `whole`: the compressed bytes are all there.
pub(crate) fn unwrap(kind: Compression, bytes: &[u8], whole: bool, most: usize) -> Result<Unwrapped> {
    match kind {
        Compression::Gzip => read(flate2::read::MultiGzDecoder::new(bytes), bytes, whole, most),
        Compression::Lz4 => read(lz4_flex::frame::FrameDecoder::new(bytes), bytes, whole, most),
        Compression::SnappyFramed => read(snap::read::FrameDecoder::new(bytes), bytes, whole, most),
        Compression::Zstd => {
            let failed = |error: std::io::Error| Stop::fault(0, error.to_string());
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(failed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(failed)?;
            read(decoder, bytes, whole, most)
        }
        Compression::Snappy => block(bytes, 0, whole, most),
        Compression::SnappyJava => java(bytes, whole, most),
    }
}

fn read(decoder: impl Read, bytes: &[u8], whole: bool, most: usize) -> Result<Unwrapped> {
    let mut out = Vec::new();
    // One more byte than the bound tells that there is more.
    let result = decoder.take(most as u64 + 1).read_to_end(&mut out);
    let is_more = out.len() > most;
    out.truncate(most);
    match result {
        Ok(_) => Ok(Unwrapped { bytes: out, whole: whole && !is_more }),
        Err(_) if !whole => Ok(Unwrapped { bytes: out, whole: false }),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Stop::End(bytes.len())),
        Err(error) => Err(Stop::fault(0, format!("after {} unpacked bytes: {error}", out.len()))),
    }
}

/// One block of Snappy: it begins with the length of what is in it, and is unpacked as a whole.
fn block(bytes: &[u8], at: usize, whole: bool, most: usize) -> Result<Unwrapped> {
    let length = snap::raw::decompress_len(bytes).map_err(|error| Stop::fault(at, error.to_string()))?;
    if length > most {
        return Err(Stop::fault(
            at,
            format!("it unpacks to {length} bytes, and at most {most} are unpacked"),
        ));
    }
    match snap::raw::Decoder::new().decompress_vec(bytes) {
        Ok(bytes) => Ok(Unwrapped { bytes, whole }),
        Err(_) if !whole => Err(Stop::End(at)),
        Err(error) => Err(Stop::fault(at, error.to_string())),
    }
}

/// A header of 16 bytes, then blocks, each after its length.
fn java(bytes: &[u8], whole: bool, most: usize) -> Result<Unwrapped> {
    let mut input = Input::new(bytes);
    input.take(16)?;
    let mut out = Vec::new();
    while !input.is_empty() {
        let at = input.at();
        let piece =
            input.unsigned(4).and_then(|length| input.take(usize::try_from(length).unwrap_or(usize::MAX)));
        let piece = match piece {
            Ok(piece) => piece,
            Err(_) if !whole => return Ok(Unwrapped { bytes: out, whole: false }),
            Err(stop) => return Err(stop),
        };
        if out.len() == most {
            return Ok(Unwrapped { bytes: out, whole: false });
        }
        out.append(&mut block(piece, at, true, most - out.len())?.bytes);
    }
    Ok(Unwrapped { bytes: out, whole })
}
