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
.LCPI0_3:
	.quad	0x3f50624dd2f1a9fc
	.section	.rodata.cst16,"aM",@progbits,16
	.p2align	4, 0x0
.LCPI0_2:
	.quad	0x8000000000000000
	.quad	0x8000000000000000
	.section	.ltext,"axl",@progbits
	.globl	kernel
	.p2align	4
	.type	kernel,@function
kernel:
	movq	(%rdi), %rcx
	movq	8(%rdi), %r9
	movq	16(%rdi), %rsi
	movq	24(%rdi), %r10
	movq	32(%rdi), %r8
	movq	40(%rdi), %rdx
	movq	48(%rdi), %rax
	vbroadcastsd	(%rcx), %ymm0
	vbroadcastsd	(%rsi), %ymm1
	movabsq	$.LCPI0_0, %rdi
	vmovapd	(%rdi), %ymm4
	xorl	%edi, %edi
	movabsq	$.LCPI0_1, %r11
	vbroadcastsd	(%r11), %ymm2
	vxorpd	%xmm5, %xmm5, %xmm5
	vmovapd	%ymm4, %ymm3
	vmovapd	%ymm4, %ymm6
	.p2align	4
.LBB0_1:
	vmovupd	(%r9,%rdi,8), %ymm7
	vmovupd	(%r10,%rdi,8), %ymm8
	vmulpd	%ymm7, %ymm0, %ymm9
	vaddpd	%ymm1, %ymm9, %ymm9
	vsubpd	%ymm9, %ymm8, %ymm8
	vmulpd	%ymm8, %ymm8, %ymm9
	vaddpd	%ymm4, %ymm9, %ymm4
	vaddpd	%ymm8, %ymm8, %ymm8
	vxorpd	%ymm2, %ymm8, %ymm9
	vmulpd	%ymm7, %ymm9, %ymm7
	vcmpunordpd	%ymm5, %ymm7, %ymm10
	vcmpeqpd	%ymm9, %ymm8, %ymm9
	vandpd	%ymm9, %ymm10, %ymm9
	vandnpd	%ymm7, %ymm9, %ymm7
	vaddpd	%ymm7, %ymm6, %ymm6
	vsubpd	%ymm8, %ymm3, %ymm3
	addq	$4, %rdi
	cmpq	$48, %rdi
	jne	.LBB0_1
	vextractf128	$1, %ymm6, %xmm2
	vaddpd	%xmm2, %xmm6, %xmm2
	vshufpd	$1, %xmm2, %xmm2, %xmm5
	vaddsd	%xmm5, %xmm2, %xmm2
	vextractf128	$1, %ymm3, %xmm5
	vaddpd	%xmm5, %xmm3, %xmm3
	vshufpd	$1, %xmm3, %xmm3, %xmm5
	vaddsd	%xmm5, %xmm3, %xmm3
	vextractf128	$1, %ymm4, %xmm5
	vaddpd	%xmm5, %xmm4, %xmm4
	vshufpd	$1, %xmm4, %xmm4, %xmm5
	vaddsd	%xmm5, %xmm4, %xmm4
	xorl	%edi, %edi
	movabsq	$.LCPI0_2, %r11
	vmovapd	(%r11), %xmm5
	jmp	.LBB0_3
	.p2align	4
.LBB0_5:
	vaddsd	%xmm2, %xmm8, %xmm2
	vmulsd	%xmm7, %xmm7, %xmm7
	vaddsd	%xmm7, %xmm4, %xmm4
	vsubsd	%xmm6, %xmm3, %xmm3
	incq	%rdi
	cmpq	$2, %rdi
	je	.LBB0_6
.LBB0_3:
	vmovsd	384(%r9,%rdi,8), %xmm8
	vmovsd	384(%r10,%rdi,8), %xmm6
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
	vmovd	%xmm10, %r11d
	testb	$1, %r11b
	jne	.LBB0_5
	vmovapd	%xmm9, %xmm8
	jmp	.LBB0_5
.LBB0_6:
	vxorpd	%xmm0, %xmm0, %xmm0
	vaddsd	%xmm0, %xmm3, %xmm1
	vaddsd	%xmm0, %xmm2, %xmm0
	vmovsd	%xmm4, (%r8)
	vmovsd	(%rsi), %xmm2
	vmovsd	(%rcx), %xmm3
	movabsq	$.LCPI0_3, %rcx
	vmovsd	(%rcx), %xmm4
	vmulsd	%xmm4, %xmm1, %xmm1
	vsubsd	%xmm1, %xmm2, %xmm1
	vmovsd	%xmm1, (%rdx)
	vmulsd	%xmm4, %xmm0, %xmm0
	vsubsd	%xmm0, %xmm3, %xmm0
	vmovsd	%xmm0, (%rax)
	vzeroupper
	retq
.Lfunc_end0:
	.size	kernel, .Lfunc_end0-kernel

	.section	".note.GNU-stack","",@progbits
