; part 0: native code
define internal void @loop0.body(ptr noalias %.1, ptr noalias %.2, i64 %.3, i64 %.4) nounwind "gt.work"="little"
{
entry:
  %.5 = icmp slt i64 %.3, %.4
  br i1 %.5, label %lanes, label %done
lanes:
  %.6 = phi i64 [%.3, %entry], [%.11, %lanes]
  %.7 = getelementptr double, ptr %.1, i64 %.6
  %.8 = load double, ptr %.7
  %.9 = fmul double %.8, 0x4000000000000000
  %.10 = getelementptr double, ptr %.2, i64 %.6
  store double %.9, ptr %.10
  %.11 = add nuw nsw i64 %.6, 1
  %.12 = icmp slt i64 %.11, %.4
  br i1 %.12, label %lanes, label %done
done:
  ret void
}

define void @kernel(ptr %.1) cold nounwind "gt.run"="brief"
{
entry:
  %.2 = load ptr, ptr %.1
  %.3 = getelementptr ptr, ptr %.1, i64 1
  %.4 = load ptr, ptr %.3
  call void @loop0.body(ptr %.2, ptr %.4, i64 0, i64 50)
  ret void
}
; part 1: NumPy runs argsort
; part 2: native code
define internal void @loop0.body(ptr noalias %.1, ptr noalias %.2, ptr noalias %.3, ptr noalias %.4, i64 %.5, i64 %.6) nounwind "gt.work"="little"
{
entry:
  %.7 = alloca i1
  store i1 0, ptr %.7
  %.8 = icmp slt i64 %.5, %.6
  br i1 %.8, label %lanes, label %done
lanes:
  %.9 = phi i64 [%.5, %entry], [%.23, %lanes]
  %.10 = getelementptr i64, ptr %.2, i64 %.9
  %.11 = load i64, ptr %.10
  %.12 = icmp slt i64 %.11, 0
  %.13 = add i64 %.11, 50
  %.14 = select i1 %.12, i64 %.13, i64 %.11
  %.15 = icmp uge i64 %.14, 50
  %.16 = load i1, ptr %.7
  %.17 = or i1 %.16, %.15
  store i1 %.17, ptr %.7
  %.18 = select i1 %.15, i64 0, i64 %.14
  %.19 = getelementptr double, ptr %.1, i64 %.18
  %.20 = load double, ptr %.19
  %.21 = fadd double %.20, 0x3ff0000000000000
  %.22 = getelementptr double, ptr %.3, i64 %.9
  store double %.21, ptr %.22
  %.23 = add nuw nsw i64 %.9, 1
  %.24 = icmp slt i64 %.23, %.6
  br i1 %.24, label %lanes, label %done
done:
  %.25 = load i1, ptr %.7
  br i1 %.25, label %told, label %fine
told:
  store i64 1, ptr %.4
  br label %fine
fine:
  ret void
}

define void @kernel(ptr %.1) cold nounwind "gt.run"="brief"
{
entry:
  %.2 = load ptr, ptr %.1
  %.3 = getelementptr ptr, ptr %.1, i64 1
  %.4 = load ptr, ptr %.3
  %.5 = getelementptr ptr, ptr %.1, i64 2
  %.6 = load ptr, ptr %.5
  %.7 = getelementptr ptr, ptr %.1, i64 3
  %.8 = load ptr, ptr %.7
  call void @loop0.body(ptr %.2, ptr %.4, ptr %.6, ptr %.8, i64 0, i64 50)
  ret void
}
