/** The format of XSAVE areas: Intel SDM vol. 1, 13.1 and 13.4. */

/** Bits of XCR0. */
export const XCR0_X87 = 1;
export const XCR0_SSE = 2;
export const XCR0_YMM = 4;

/** The legacy region, which has the FXSAVE format, and the header behind it. */
export const XSAVE_HEADER = 512;
export const XSAVE_HEADER_SIZE = 64;
/** Where the components behind the header begin. */
const XSAVE_EXTENDED = XSAVE_HEADER + XSAVE_HEADER_SIZE;

/** The upper halves of YMM0…YMM15, 16 bytes each. */
export const YMM_COMPONENT = { bit: 2, offset: XSAVE_EXTENDED, size: 256 } as const;

/** Components behind the header, in the standard format. */
export const XSAVE_COMPONENTS: readonly {
  readonly bit: number;
  readonly offset: number;
  readonly size: number;
}[] = [YMM_COMPONENT];

/** Bytes of the area for these components (bits as in XCR0). */
export function xsaveSize(components: number): number {
  let size = XSAVE_EXTENDED;
  for (const { bit, offset, size: bytes } of XSAVE_COMPONENTS) {
    if (((components >> bit) & 1) !== 0) size = Math.max(size, offset + bytes);
  }
  return size;
}
