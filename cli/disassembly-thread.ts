/** The environment variable that tells a thread of ours what it is (disassembly-worker.ts). */
export const DISASSEMBLY_THREAD = "OSV_VM_DISASSEMBLY_THREAD";
