/** Touches memory on a thread of Node's pool. */

/**
 * Has the pool fill the memory with random bytes: of what Node's pool does to memory that it is given, only this is done by
 * instructions of the process itself. (A read of a file, which the kernel does, leaves half of the cost to the first who
 * accesses the memory from user code: measured in a virtual machine with shadowed page tables.)
 */
export async function touchMemory(memory: Uint8Array): Promise<void> {
  const { randomFill } = await import("node:crypto"); // takes 10 ms to load: by no means at the start
  await new Promise<void>((resolve, reject) => {
    randomFill(memory, (error) => (error === null ? resolve() : reject(error)));
  });
}
