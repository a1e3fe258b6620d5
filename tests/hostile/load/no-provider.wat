;; A component that exports nothing.
;; is: refused
;; says: exports no bitrouter:provider/provider

(component)
