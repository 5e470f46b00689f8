/** Where things go in the address space: as on Linux without randomisation, with room for several applications. */

/** One past the last byte of user space (TASK_SIZE_MAX, arch/x86/include/asm/page_64_types.h). */
export const USER_END = 0x7ffffffff000;
/** Nothing is mapped below, so that null pointers fault (vm.mmap_min_addr). */
export const MMAP_MIN = 0x10000;
/** mmap without a hint goes down from here; the 128 MiB above are for stacks (mmap_base(), arch/x86/mm/mmap.c). */
export const MMAP_TOP = 0x7ffff7fff000;
/** Where MAP_32BIT looks (find_start_end(), arch/x86/kernel/sys_x86_64.c). */
export const LOW_MMAP_START = 0x40000000;
export const LOW_MMAP_END = 0x80000000;

/** RLIMIT_STACK's default, how much of it is there from the start, and the gap below that nobody gets. */
export const STACK_LIMIT = 8 << 20;
export const STACK_INITIAL = 132 << 10;
export const STACK_GUARD_GAP = 1 << 20;

/** Position-independent programs: the first one where Linux puts it (ELF_ET_DYN_BASE), the next ones above. */
export const PIE_BASE = 0x555555554000;
export const PIE_STRIDE = 64 * 2 ** 30;
export const PIE_END = 0x7e0000000000;

/** How many areas there may be (vm.max_map_count). */
export const MAX_MAP_COUNT = 65530;
