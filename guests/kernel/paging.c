/* Page tables: rights, accessed and dirty bits, what the TLB may keep. Intel SDM vol. 3, chapter 4. */
#include "kernel.h"

#define PRESENT 1ull
#define WRITABLE 2ull
#define USER 4ull
#define ACCESSED 0x20ull
#define DIRTY 0x40ull
#define GLOBAL 0x100ull
#define NO_EXECUTE (1ull << 63)
/* Where the pages under test are: a piece of the first GiB with a table of its own. */
#define WINDOW 0x2000000ull
#define PAGE 4096

extern uint64_t page_directory[512];
static uint64_t table[512] __attribute__((aligned(PAGE)));
static volatile uint8_t frames[4][PAGE] __attribute__((aligned(PAGE)));
static volatile uint8_t *probe;

static volatile uint8_t *page(int index) { return (volatile uint8_t *)(WINDOW + index * PAGE); }
static void map(int index, int frame, uint64_t flags) {
  table[index] = (uint64_t)frames[frame] | flags;
  invlpg((void *)page(index));
}

static void read_probe(void) { (void)*probe; }
static void write_probe(void) { *probe = 1; }
static void execute_probe(void) { ((void (*)(void))probe)(); }
static void read_across(void) { (void)*(volatile uint32_t *)(page(1) - 2); }
static void write_across(void) { *(volatile uint32_t *)(page(1) - 2) = 0; }

static struct fault at(volatile uint8_t *address, void (*access)(void)) {
  probe = address;
  return fault(access);
}

void check_paging(void) {
  page_directory[WINDOW >> 21] = (uint64_t)table | PRESENT | WRITABLE | USER;
  WRITE_CR(3, READ_CR(3));

  struct fault met = at(page(0) + 0x123, read_probe);
  check(met.vector == 14 && met.error == 0 && met.cr2 == WINDOW + 0x123, "#PF: read, not present");
  met = at(page(0), write_probe);
  check(met.vector == 14 && met.error == 2, "#PF: write, not present");
  met = at(page(0), execute_probe);
  check(met.vector == 14 && met.error == 0x10 && met.rip == WINDOW, "#PF: fetch, not present");

  map(0, 0, PRESENT);
  check(at(page(0), read_probe).vector == -1, "a read-only page can be read");
  check(table[0] == ((uint64_t)frames[0] | PRESENT | ACCESSED), "reading sets the accessed bit alone");
  met = at(page(0), write_probe);
  check(met.vector == 14 && met.error == 3, "#PF: write to a read-only page");
  WRITE_CR(0, READ_CR(0) & ~0x10000ull);
  check(at(page(0), write_probe).vector == -1 && (table[0] & DIRTY) != 0, "without CR0.WP ring 0 writes to it");
  WRITE_CR(0, READ_CR(0) | 0x10000);

  map(0, 0, PRESENT | WRITABLE);
  page(0)[0] = 0xc3; /* RET */
  check((table[0] & (ACCESSED | DIRTY)) == (ACCESSED | DIRTY), "writing sets accessed and dirty bits");
  check(at(page(0), execute_probe).vector == -1, "code can be executed where it was written");
  map(0, 0, PRESENT | WRITABLE | NO_EXECUTE);
  met = at(page(0), execute_probe);
  check(met.vector == 14 && met.error == 0x11, "#PF: fetch from a no-execute page");

  /* Accesses that lie in two pages. */
  map(0, 0, PRESENT | WRITABLE);
  met = fault(read_across);
  check(met.vector == 14 && met.cr2 == WINDOW + PAGE, "#PF: the second page of a read");
  map(1, 1, PRESENT);
  frames[0][PAGE - 1] = 0x5a;
  met = fault(write_across);
  check(met.vector == 14 && met.error == 3 && frames[0][PAGE - 1] == 0x5a, "#PF: nothing was written to the first");

  /* Two pages that are one. */
  map(2, 2, PRESENT | WRITABLE);
  map(3, 2, PRESENT | WRITABLE);
  page(2)[100] = 1;
  page(3)[100] = 2;
  check(page(2)[100] == 2 && frames[2][100] == 2, "two addresses of one page");

  /* What the TLB keeps, and what makes it forget. */
  frames[0][0] = 10;
  frames[1][0] = 11;
  map(4, 0, PRESENT | WRITABLE);
  check(page(4)[0] == 10, "a page is read");
  map(4, 1, PRESENT | WRITABLE);
  check(page(4)[0] == 11, "INVLPG makes a change seen");
  table[4] = (uint64_t)frames[0] | PRESENT;
  WRITE_CR(3, READ_CR(3));
  check(page(4)[0] == 10, "loading CR3 makes a change seen");
  map(5, 0, PRESENT | GLOBAL);
  (void)page(5)[0];
  table[5] = (uint64_t)frames[1] | PRESENT | GLOBAL;
  WRITE_CR(4, READ_CR(4) & ~0x80ull);
  WRITE_CR(4, READ_CR(4) | 0x80);
  check(page(5)[0] == 11, "switching CR4.PGE forgets global pages");

  /* Code that changes under another name. */
  map(6, 3, PRESENT | WRITABLE);
  frames[3][0] = 0xb8; /* MOV EAX, imm32; RET */
  frames[3][1] = 1;
  frames[3][5] = 0xc3;
  int (*code)(void) = (int (*)(void))page(6);
  bool good = true;
  for (int round = 1; round <= 100; round++) {
    frames[3][1] = round;
    good = good && code() == round;
  }
  check(good, "code is what was written last, whatever address it was written through");
}
