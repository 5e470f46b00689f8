/** Formats of disk images that are more than the disk's bytes, told by what they begin with. */

interface ImageFormat {
  /** As error messages name it. */
  readonly name: string;
  readonly magic: readonly number[];
}

const FORMATS: readonly ImageFormat[] = [
  // qemu/docs/interop/qcow2.rst: "QFI\xfb"
  { name: "a qcow2 image", magic: [0x51, 0x46, 0x49, 0xfb] },
  // VMware Virtual Disk Format 5.0, "Hosted Sparse Extent Header": "KDMV"; text descriptors begin with a comment
  { name: "a VMDK image", magic: [0x4b, 0x44, 0x4d, 0x56] },
  { name: "a VMDK descriptor", magic: [..."# Disk DescriptorFile"].map((letter) => letter.charCodeAt(0)) },
  { name: "a VHDX image", magic: [..."vhdxfile"].map((letter) => letter.charCodeAt(0)) },
  { name: "a VHD image", magic: [..."conectix"].map((letter) => letter.charCodeAt(0)) },
  { name: "a VDI image", magic: [..."<<< Oracle VM VirtualBox"].map((letter) => letter.charCodeAt(0)) },
  { name: "a QED image", magic: [0x51, 0x45, 0x44, 0x00] },
  { name: "a gzip file", magic: [0x1f, 0x8b] },
  { name: "an xz file", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: "a zstd file", magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: "a bzip2 file", magic: [0x42, 0x5a, 0x68] },
];

/** @param head the first bytes @returns undefined for what may be a raw disk */
export function imageFormat(head: Uint8Array): ImageFormat | undefined {
  return FORMATS.find(({ magic }) => magic.every((byte, index) => head[index] === byte));
}
