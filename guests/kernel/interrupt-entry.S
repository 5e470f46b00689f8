/* One stub of 16 bytes for each vector; all registers go onto the stack as struct frame has them. */

        .text
        .balign 16
        .globl interrupt_stubs
interrupt_stubs:
        .set vector, 0
        .rept 256
        .balign 16
        .if vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && vector != 17
        pushq $0
        .endif
        pushq $vector
        jmp interrupt
        .set vector, vector + 1
        .endr

interrupt:
        pushq %rax
        pushq %rbx
        pushq %rcx
        pushq %rdx
        pushq %rsi
        pushq %rdi
        pushq %rbp
        pushq %r8
        pushq %r9
        pushq %r10
        pushq %r11
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        cld
        movq %rsp, %rdi
        call interrupted
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %r11
        popq %r10
        popq %r9
        popq %r8
        popq %rbp
        popq %rdi
        popq %rsi
        popq %rdx
        popq %rcx
        popq %rbx
        popq %rax
        addq $16, %rsp
        iretq

/* bool call_and_return(void (*function)(void), uint64_t context[8]): false if end_call(context) ended it. */
        .globl call_and_return
call_and_return:
        movq %rbx, (%rsi)
        movq %rbp, 8(%rsi)
        movq %r12, 16(%rsi)
        movq %r13, 24(%rsi)
        movq %r14, 32(%rsi)
        movq %r15, 40(%rsi)
        movq %rsp, 48(%rsi)
        pushq %rsi
        call *%rdi
        addq $8, %rsp
        movl $1, %eax
        ret

/* RIP to leave an interrupt to; RDI: context. */
        .globl end_call
end_call:
        movq (%rdi), %rbx
        movq 8(%rdi), %rbp
        movq 16(%rdi), %r12
        movq 24(%rdi), %r13
        movq 32(%rdi), %r14
        movq 40(%rdi), %r15
        movq 48(%rdi), %rsp
        xorl %eax, %eax
        ret

/* uint64_t run_user(void (*code)(void), void *stack, uint64_t *saved_stack): until it makes system call 0. */
        .globl run_user
run_user:
        pushq %rbx
        pushq %rbp
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rsp, (%rdx)
        pushq $0x1b
        pushq %rsi
        pushq $0x202
        pushq $0x23
        pushq %rdi
        iretq

/* SYSCALL from ring 3: RAX is the number. 0 ends run_user with RDI as its result; 1 returns RDI + 1. */
        .globl system_call
system_call:
        testq %rax, %rax
        jz 1f
        leaq 1(%rdi), %rax
        sysretq
        .globl end_user
end_user:
1:      movq user_return_stack, %rsp
        movq %rdi, %rax
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbp
        popq %rbx
        ret

        .globl load_segments
load_segments:
        popq %rax
        pushq $8
        pushq %rax
        lretq

        .section .note.GNU-stack, "", @progbits
