; part 0: native code
define internal void @loop0.body(ptr noalias %.1, ptr noalias %.2, i64 %.3, i64 %.4) nounwind "gt.work"="little"
{
entry:
  %.6 = icmp slt i64 %.3, %.4
  br i1 %.6, label %lanes, label %done
lanes:
  %.8 = phi i64 [%.3, %entry], [%.14, %lanes]
  %.9 = getelementptr double, ptr %.1, i64 %.8
  %.10 = load double, ptr %.9
  %.11 = fmul double %.10, 0x4000000000000000
  %.12 = getelementptr double, ptr %.2, i64 %.8
  store double %.11, ptr %.12
  %.14 = add nuw nsw i64 %.8, 1
  %.15 = icmp slt i64 %.14, %.4
  br i1 %.15, label %lanes, label %done
done:
  ret void
}

define internal void @loop0(ptr %.1, i64 %.2) cold nounwind
{
entry:
  %.4 = getelementptr ptr, ptr %.1, i64 0
  %.5 = load ptr, ptr %.4
  %.6 = getelementptr ptr, ptr %.1, i64 1
  %.7 = load ptr, ptr %.6
  %.8 = mul i64 %.2, 50
  %.9 = add i64 %.8, 50
  %.10 = icmp sgt i64 %.9, 50
  %.11 = select i1 %.10, i64 50, i64 %.9
  call void @loop0.body(ptr %.5, ptr %.7, i64 %.8, i64 %.11)
  ret void
}

define void @kernel(ptr %.1) cold nounwind
{
entry:
  call void @loop0(ptr %.1, i64 0)
  ret void
}
; part 1: NumPy runs argsort
; part 2: native code
define internal void @loop0.body(ptr noalias %.1, ptr noalias %.2, ptr noalias %.3, ptr noalias %.4, i64 %.5, i64 %.6) nounwind "gt.work"="little"
{
entry:
  %.8 = alloca i1
  store i1 0, i1* %.8
  %.10 = icmp slt i64 %.5, %.6
  br i1 %.10, label %lanes, label %done
lanes:
  %.12 = phi i64 [%.5, %entry], [%.28, %lanes]
  %.13 = getelementptr i64, ptr %.2, i64 %.12
  %.14 = load i64, ptr %.13
  %.15 = icmp slt i64 %.14, 0
  %.16 = add i64 %.14, 50
  %.17 = select i1 %.15, i64 %.16, i64 %.14
  %.18 = icmp uge i64 %.17, 50
  %.19 = load i1, i1* %.8
  %.20 = or i1 %.19, %.18
  store i1 %.20, i1* %.8
  %.22 = select i1 %.18, i64 0, i64 %.17
  %.23 = getelementptr double, ptr %.1, i64 %.22
  %.24 = load double, ptr %.23
  %.25 = fadd double %.24, 0x3ff0000000000000
  %.26 = getelementptr double, ptr %.3, i64 %.12
  store double %.25, ptr %.26
  %.28 = add nuw nsw i64 %.12, 1
  %.29 = icmp slt i64 %.28, %.6
  br i1 %.29, label %lanes, label %done
done:
  %.31 = load i1, i1* %.8
  br i1 %.31, label %told, label %fine
told:
  store i64 1, ptr %.4
  br label %fine
fine:
  ret void
}

define internal void @loop0(ptr %.1, i64 %.2) cold nounwind
{
entry:
  %.4 = getelementptr ptr, ptr %.1, i64 0
  %.5 = load ptr, ptr %.4
  %.6 = getelementptr ptr, ptr %.1, i64 1
  %.7 = load ptr, ptr %.6
  %.8 = getelementptr ptr, ptr %.1, i64 2
  %.9 = load ptr, ptr %.8
  %.10 = getelementptr ptr, ptr %.1, i64 3
  %.11 = load ptr, ptr %.10
  %.12 = mul i64 %.2, 50
  %.13 = add i64 %.12, 50
  %.14 = icmp sgt i64 %.13, 50
  %.15 = select i1 %.14, i64 50, i64 %.13
  call void @loop0.body(ptr %.5, ptr %.7, ptr %.9, ptr %.11, i64 %.12, i64 %.15)
  ret void
}

define void @kernel(ptr %.1) cold nounwind
{
entry:
  call void @loop0(ptr %.1, i64 0)
  ret void
}
