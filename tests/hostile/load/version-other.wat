;; It speaks a version that nobody has made.
;; is: refused
;; says: version 9.9.9

(component (instance $p) (export "bitrouter:provider/provider@9.9.9" (instance $p)))
