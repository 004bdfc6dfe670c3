; part 0: native code
.file	"<string>"
	.section	.rodata.cst32,"aM",@progbits,32
	.p2align	5, 0x0
.LCPI0_0:
	.quad	0x0000000000000000
	.quad	0x8000000000000000
	.quad	0x8000000000000000
	.quad	0x8000000000000000
	.section	.rodata.cst8,"aM",@progbits,8
	.p2align	3, 0x0
.LCPI0_1:
	.quad	0x8000000000000000
	.section	.rodata.cst16,"aM",@progbits,16
	.p2align	4, 0x0
.LCPI0_2:
	.quad	0x8000000000000000
	.quad	0x8000000000000000
	.section	.ltext,"axl",@progbits
	.globl	loop0.body
	.p2align	4
	.type	loop0.body,@function
loop0.body:
	pushq	%r15
	pushq	%r14
	pushq	%r12
	pushq	%rbx
	movq	56(%rsp), %r10
	movq	48(%rsp), %r14
	movq	40(%rsp), %rax
	vxorpd	%xmm2, %xmm2, %xmm2
	movq	%r10, %r11
	vxorpd	%xmm0, %xmm0, %xmm0
	vxorpd	%xmm1, %xmm1, %xmm1
	subq	%r14, %r11
	jle	.LBB0_11
	vmovsd	(%rdi), %xmm0
	vmovsd	(%rdx), %xmm1
	cmpq	$4, %r11
	jae	.LBB0_3
	vxorpd	%xmm3, %xmm3, %xmm3
	vxorpd	%xmm4, %xmm4, %xmm4
	movq	%r14, %rdx
	jmp	.LBB0_6
.LBB0_3:
	movq	%r11, %rdi
	andq	$-4, %rdi
	leaq	(%r14,%rdi), %rdx
	vbroadcastsd	%xmm0, %ymm2
	vbroadcastsd	%xmm1, %ymm3
	leaq	(%rcx,%r14,8), %rbx
	leaq	(%rsi,%r14,8), %r14
	movabsq	$.LCPI0_0, %r15
	vmovapd	(%r15), %ymm5
	xorl	%r15d, %r15d
	movabsq	$.LCPI0_1, %r12
	vbroadcastsd	(%r12), %ymm7
	vxorpd	%xmm8, %xmm8, %xmm8
	vmovapd	%ymm5, %ymm6
	vmovapd	%ymm5, %ymm4
	.p2align	4
.LBB0_4:
	vmovupd	(%r14,%r15,8), %ymm9
	vmovupd	(%rbx,%r15,8), %ymm10
	vmulpd	%ymm2, %ymm9, %ymm11
	vaddpd	%ymm3, %ymm11, %ymm11
	vsubpd	%ymm11, %ymm10, %ymm10
	vmulpd	%ymm10, %ymm10, %ymm11
	vaddpd	%ymm5, %ymm11, %ymm5
	vaddpd	%ymm10, %ymm10, %ymm10
	vxorpd	%ymm7, %ymm10, %ymm11
	vmulpd	%ymm11, %ymm9, %ymm9
	vcmpunordpd	%ymm8, %ymm9, %ymm12
	vcmpeqpd	%ymm11, %ymm10, %ymm11
	vandpd	%ymm11, %ymm12, %ymm11
	vandnpd	%ymm9, %ymm11, %ymm9
	vaddpd	%ymm4, %ymm9, %ymm4
	vsubpd	%ymm10, %ymm6, %ymm6
	addq	$4, %r15
	cmpq	%r15, %rdi
	jne	.LBB0_4
	vextractf128	$1, %ymm5, %xmm2
	vaddpd	%xmm2, %xmm5, %xmm2
	vshufpd	$1, %xmm2, %xmm2, %xmm3
	vaddsd	%xmm3, %xmm2, %xmm2
	vextractf128	$1, %ymm6, %xmm3
	vaddpd	%xmm3, %xmm6, %xmm3
	vshufpd	$1, %xmm3, %xmm3, %xmm5
	vaddsd	%xmm5, %xmm3, %xmm3
	vextractf128	$1, %ymm4, %xmm5
	vaddpd	%xmm5, %xmm4, %xmm4
	vshufpd	$1, %xmm4, %xmm4, %xmm5
	vaddsd	%xmm5, %xmm4, %xmm4
	cmpq	%rdi, %r11
	jne	.LBB0_6
.LBB0_10:
	vxorpd	%xmm1, %xmm1, %xmm1
	vaddsd	%xmm1, %xmm3, %xmm0
	vaddsd	%xmm1, %xmm4, %xmm1
.LBB0_11:
	vmovsd	%xmm2, (%r8)
	vmovsd	%xmm0, (%r9)
	vmovsd	%xmm1, (%rax)
	popq	%rbx
	popq	%r12
	popq	%r14
	popq	%r15
	vzeroupper
	retq
.LBB0_6:
	movabsq	$.LCPI0_2, %rdi
	vmovapd	(%rdi), %xmm5
	jmp	.LBB0_7
	.p2align	4
.LBB0_9:
	vaddsd	%xmm4, %xmm8, %xmm4
	vmulsd	%xmm7, %xmm7, %xmm7
	vaddsd	%xmm7, %xmm2, %xmm2
	vsubsd	%xmm6, %xmm3, %xmm3
	incq	%rdx
	cmpq	%rdx, %r10
	je	.LBB0_10
.LBB0_7:
	vmovsd	(%rsi,%rdx,8), %xmm8
	vmovsd	(%rcx,%rdx,8), %xmm6
	vmulsd	%xmm0, %xmm8, %xmm7
	vaddsd	%xmm7, %xmm1, %xmm7
	vsubsd	%xmm7, %xmm6, %xmm7
	vaddsd	%xmm7, %xmm7, %xmm6
	vxorpd	%xmm5, %xmm6, %xmm9
	vmulsd	%xmm9, %xmm8, %xmm9
	vxorpd	%xmm8, %xmm8, %xmm8
	vcmpeqsd	%xmm6, %xmm8, %xmm10
	vcmpunordsd	%xmm8, %xmm9, %xmm11
	vandpd	%xmm10, %xmm11, %xmm10
	vmovd	%xmm10, %edi
	testb	$1, %dil
	jne	.LBB0_9
	vmovapd	%xmm9, %xmm8
	jmp	.LBB0_9
.Lfunc_end0:
	.size	loop0.body, .Lfunc_end0-loop0.body

	.section	.rodata.cst8,"aM",@progbits,8
	.p2align	3, 0x0
.LCPI1_0:
	.quad	0x3f50624dd2f1a9fc
	.section	.ltext,"axl",@progbits
	.globl	loop1.body
	.p2align	4
	.type	loop1.body,@function
loop1.body:
	movabsq	$.LCPI1_0, %rax
	vmovsd	(%rax), %xmm0
	vmulsd	(%rdi), %xmm0, %xmm1
	vmovsd	(%rsi), %xmm2
	vsubsd	%xmm1, %xmm2, %xmm1
	vmovsd	%xmm1, (%r8)
	vmulsd	(%rdx), %xmm0, %xmm0
	vmovsd	(%rcx), %xmm1
	vsubsd	%xmm0, %xmm1, %xmm0
	vmovsd	%xmm0, (%r9)
	retq
.Lfunc_end1:
	.size	loop1.body, .Lfunc_end1-loop1.body

	.section	".note.GNU-stack","",@progbits

	.file	"<string>"
	.section	.ltext,"axl",@progbits
	.globl	kernel
	.p2align	4
	.type	kernel,@function
kernel:
	pushq	%rbp
	movq	%rsp, %rbp
	andq	$-64, %rsp
	subq	$448, %rsp
	movq	%rdi, %rax
	movq	%rax, 32(%rsp)
	leaq	64(%rsp), %rcx
	addq	$64, %rcx
	movq	%rcx, 48(%rsp)
	leaq	64(%rsp), %r8
	addq	$128, %r8
	leaq	64(%rsp), %r9
	addq	$192, %r9
	leaq	64(%rsp), %r10
	addq	$256, %r10
	movq	(%rax), %rdi
	movq	%rdi, 56(%rsp)
	movq	8(%rax), %rsi
	movq	16(%rax), %rdx
	movq	%rdx, 40(%rsp)
	movq	24(%rax), %rcx
	xorl	%eax, %eax
	movq	%rsp, %rax
	movq	%r10, (%rax)
	movq	$50, 16(%rax)
	movq	$0, 8(%rax)
	movabsq	$loop0.body, %rax
	callq	*%rax
	movq	32(%rsp), %rdi
	movq	40(%rsp), %rsi
	movq	48(%rsp), %rdx
	movq	56(%rsp), %rcx
	movq	32(%rdi), %rax
	vxorps	%xmm0, %xmm0, %xmm0
	vaddsd	192(%rsp), %xmm0, %xmm0
	vmovsd	%xmm0, (%rax)
	vxorps	%xmm0, %xmm0, %xmm0
	vaddsd	256(%rsp), %xmm0, %xmm0
	vmovsd	%xmm0, 64(%rsp)
	vxorps	%xmm0, %xmm0, %xmm0
	vaddsd	320(%rsp), %xmm0, %xmm0
	vmovsd	%xmm0, 128(%rsp)
	movq	40(%rdi), %r8
	movq	48(%rdi), %r9
	xorl	%eax, %eax
	movq	%rsp, %rax
	movq	$1, 8(%rax)
	movq	$0, (%rax)
	movabsq	$loop1.body, %rax
	leaq	64(%rsp), %rdi
	callq	*%rax
	movq	%rbp, %rsp
	popq	%rbp
	retq
.Lfunc_end0:
	.size	kernel, .Lfunc_end0-kernel

	.section	".note.GNU-stack","",@progbits
