; part 0: native code
.file	"<string>"
	.section	.rodata.cst16,"aM",@progbits,16
	.p2align	4, 0x0
.LCPI0_0:
	.xword	0x0000000000000000
	.xword	0x8000000000000000
	.section	.rodata.cst8,"aM",@progbits,8
	.p2align	3, 0x0
.LCPI0_1:
	.xword	0x3f50624dd2f1a9fc
	.text
	.globl	kernel
	.p2align	2
	.type	kernel,@function
kernel:
	movi	v1.2d, #0000000000000000
	movz	x15, #:abs_g0_nc:.LCPI0_0
	ldr	x9, [x0]
	ldp	x13, x8, [x0, #8]
	movk	x15, #:abs_g1_nc:.LCPI0_0
	movk	x15, #:abs_g2_nc:.LCPI0_0
	ldp	x14, x12, [x0, #24]
	movk	x15, #:abs_g3:.LCPI0_0
	ldp	x10, x11, [x0, #40]
	fneg	v2.2d, v1.2d
	ldr	d0, [x8]
	ldr	q3, [x15]
	ldr	d1, [x9]
	add	x15, x14, #16
	add	x16, x13, #16
	dup	v4.2d, v0.d[0]
	mov	v5.16b, v3.16b
	mov	v7.16b, v3.16b
	mov	w17, #48
	mov	v6.16b, v2.16b
	mov	v16.16b, v2.16b
.LBB0_1:
	ldp	q17, q18, [x16, #-16]
	subs	x17, x17, #4
	ldp	q21, q22, [x15, #-16]
	add	x15, x15, #32
	add	x16, x16, #32
	fmul	v19.2d, v17.2d, v1.d[0]
	fmul	v20.2d, v18.2d, v1.d[0]
	fadd	v19.2d, v4.2d, v19.2d
	fadd	v20.2d, v4.2d, v20.2d
	fsub	v19.2d, v21.2d, v19.2d
	fsub	v20.2d, v22.2d, v20.2d
	fadd	v21.2d, v19.2d, v19.2d
	fadd	v22.2d, v20.2d, v20.2d
	fmul	v19.2d, v19.2d, v19.2d
	fmul	v20.2d, v20.2d, v20.2d
	fneg	v23.2d, v21.2d
	fneg	v24.2d, v22.2d
	fcmeq	v25.2d, v21.2d, #0.0
	fcmeq	v26.2d, v22.2d, #0.0
	fadd	v3.2d, v3.2d, v19.2d
	fadd	v2.2d, v2.2d, v20.2d
	fsub	v5.2d, v5.2d, v21.2d
	fsub	v6.2d, v6.2d, v22.2d
	fmul	v17.2d, v17.2d, v23.2d
	fmul	v18.2d, v18.2d, v24.2d
	fcmeq	v23.2d, v17.2d, v17.2d
	fcmeq	v24.2d, v18.2d, v18.2d
	bic	v23.16b, v25.16b, v23.16b
	bic	v24.16b, v26.16b, v24.16b
	bic	v17.16b, v17.16b, v23.16b
	bic	v18.16b, v18.16b, v24.16b
	fadd	v7.2d, v7.2d, v17.2d
	fadd	v16.2d, v16.2d, v18.2d
	b.ne	.LBB0_1
	fadd	v4.2d, v16.2d, v7.2d
	fadd	v5.2d, v6.2d, v5.2d
	mov	x15, xzr
	fadd	v2.2d, v2.2d, v3.2d
	add	x14, x14, #384
	add	x13, x13, #384
	faddp	d3, v4.2d
	faddp	d4, v5.2d
	movi	d5, #0000000000000000
	faddp	d2, v2.2d
.LBB0_3:
	ldr	d6, [x13, x15]
	ldr	d16, [x14, x15]
	add	x15, x15, #8
	fmul	d7, d1, d6
	fadd	d7, d0, d7
	fsub	d7, d16, d7
	fadd	d16, d7, d7
	fmul	d7, d7, d7
	fnmul	d6, d16, d6
	fcmp	d16, #0.0
	fadd	d2, d2, d7
	fsub	d4, d4, d16
	fccmp	d6, d6, #0, eq
	fcsel	d6, d5, d6, vs
	cmp	x15, #16
	fadd	d3, d3, d6
	b.ne	.LBB0_3
	movi	d0, #0000000000000000
	movz	x13, #:abs_g0_nc:.LCPI0_1
	str	d2, [x12]
	movk	x13, #:abs_g1_nc:.LCPI0_1
	ldr	d2, [x8]
	movk	x13, #:abs_g2_nc:.LCPI0_1
	movk	x13, #:abs_g3:.LCPI0_1
	fadd	d1, d4, d0
	fadd	d0, d3, d0
	ldr	d3, [x13]
	fmul	d1, d1, d3
	fmul	d0, d0, d3
	ldr	d3, [x9]
	fsub	d1, d2, d1
	fsub	d0, d3, d0
	str	d1, [x10]
	str	d0, [x11]
	ret
.Lfunc_end0:
	.size	kernel, .Lfunc_end0-kernel

	.section	".note.GNU-stack","",@progbits
