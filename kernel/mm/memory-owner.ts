/** What Linux keeps per mm_struct: one program image in the shared address space, and its heap. */

export class MemoryOwner {
  /** Applications that run on this image: two between vfork and execve, otherwise one. */
  references = 1;
  /** brk(2): where the heap starts and where it ends now (not page-aligned). */
  brkStart = 0;
  brk = 0;
  /** Where argv, the environment and the auxiliary vector lie, for /proc. */
  argStart = 0;
  argEnd = 0;
  environmentStart = 0;
  environmentEnd = 0;
  auxiliaryVector: Uint8Array = new Uint8Array(0);
  /** The stack pointer at the start of the program. */
  stackStart = 0;
  /** Entry point and load bias of the program, for debuggers. */
  entry = 0;
  base = 0;

  /** Pages with a frame of their own, now and at most. */
  residentPages = 0;
  peakResidentPages = 0;

  constructor(readonly name: string) {}

  /** A page has got a frame. */
  addPage(): void {
    this.residentPages++;
    if (this.residentPages > this.peakResidentPages) this.peakResidentPages = this.residentPages;
  }
}
