;; It exports the interface without a version.
;; is: refused
;; says: exports no bitrouter:provider/provider

(component (instance $p) (export "bitrouter:provider/provider" (instance $p)))
