/** Formats of disk images that are more than the disk's bytes, told by what they begin with. */

interface ImageFormat {
  /** As error messages name it. */
  readonly name: string;
  readonly kind: "image" | "compressed";
  readonly magic: readonly number[];
}

const FORMATS: readonly ImageFormat[] = [
  // qemu/docs/interop/qcow2.rst: "QFI\xfb"
  { name: "a qcow2 image", kind: "image", magic: [0x51, 0x46, 0x49, 0xfb] },
  // VMware Virtual Disk Format 5.0, "Hosted Sparse Extent Header": "KDMV"; text descriptors begin with a comment
  { name: "a VMDK image", kind: "image", magic: [0x4b, 0x44, 0x4d, 0x56] },
  {
    name: "a VMDK descriptor",
    kind: "image",
    magic: [..."# Disk DescriptorFile"].map((letter) => letter.charCodeAt(0)),
  },
  { name: "a VHDX image", kind: "image", magic: [..."vhdxfile"].map((letter) => letter.charCodeAt(0)) },
  { name: "a VHD image", kind: "image", magic: [..."conectix"].map((letter) => letter.charCodeAt(0)) },
  {
    name: "a VDI image",
    kind: "image",
    magic: [..."<<< Oracle VM VirtualBox"].map((letter) => letter.charCodeAt(0)),
  },
  { name: "a QED image", kind: "image", magic: [0x51, 0x45, 0x44, 0x00] },
  { name: "a gzip file", kind: "compressed", magic: [0x1f, 0x8b] },
  { name: "an xz file", kind: "compressed", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: "a zstd file", kind: "compressed", magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: "a bzip2 file", kind: "compressed", magic: [0x42, 0x5a, 0x68] },
];

/** @param head the first bytes @returns undefined for what may be a raw disk */
export function imageFormat(head: Uint8Array): ImageFormat | undefined {
  return FORMATS.find(({ magic }) => magic.every((byte, index) => head[index] === byte));
}
