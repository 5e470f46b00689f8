/* Multiboot 1 to long mode: the first GiB is mapped at its own address, by pages of 2 MiB. */

        .set FLAGS, 3
        .section .multiboot, "a"
        .balign 4
        .long 0x1badb002, FLAGS, -(0x1badb002 + FLAGS)

        .text
        .code32
        .globl start
start:
        cld
        movl $stack_top, %esp
        movl %eax, multiboot_magic
        movl $page_directories, %eax
        orl $7, %eax
        movl %eax, page_root
        movl $page_directory, %eax
        orl $7, %eax
        movl %eax, page_directories
        movl $page_directory, %edi
        movl $0x87, %eax
        movl $512, %ecx
1:      movl %eax, (%edi)
        movl $0, 4(%edi)
        addl $0x200000, %eax
        addl $8, %edi
        loop 1b
        movl $page_root, %eax
        movl %eax, %cr3
        movl $0x6a0, %eax               /* PAE, PGE, OSFXSR, OSXMMEXCPT */
        movl %eax, %cr4
        movl $0xc0000080, %ecx
        xorl %edx, %edx
        movl $0x901, %eax               /* NXE, LME, SCE */
        wrmsr
        movl $0x80010033, %eax          /* PG, WP, NE, ET, MP, PE */
        movl %eax, %cr0
        lgdt boot_gdt_pointer
        ljmp $8, $long_mode

        .code64
long_mode:
        movw $0x10, %ax
        movw %ax, %ss
        movw %ax, %ds
        movw %ax, %es
        xorl %eax, %eax
        movw %ax, %fs
        movw %ax, %gs
        xorl %ebp, %ebp
        call kernel_main
1:      hlt
        jmp 1b

        .data
        .balign 8
boot_gdt:
        .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
        .word . - boot_gdt - 1
        .quad boot_gdt
        .globl multiboot_magic
multiboot_magic:
        .long 0

        .bss
        .balign 4096
        .globl page_directory
page_root:        .skip 4096
page_directories: .skip 4096
page_directory:   .skip 4096
        .skip 16384
stack_top:

        .section .note.GNU-stack, "", @progbits
