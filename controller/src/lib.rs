//! Sans-io controller core: belief filter, planners, plan hand-over, executor and safety gate
