/// Settings of the solver. The defaults are those of the published solver on its Meta-World tasks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// First value of every dynamics multiplier `lambda`. The default is 1.
    pub initial_dynamics_multiplier: f64,
    /// First value of every action multiplier `nu`. The default is 1.
    pub initial_action_multiplier: f64,
    /// Accepted dynamics violation `|z_{t+1} - mu(z_t, a_t)|^2` of a step. The default is 1e-4.
    pub dynamics_tolerance: f64,
    /// Accepted action violation `sum_j max(0, a_j^2 - limit^2)` of a step. The default is 1e-4.
    pub action_tolerance: f64,
    /// Rate `alpha` in `lambda *= 1 + alpha log10(violation / eps + eta)`; at 0 multipliers stay. The default
    /// is 0.1.
    pub learning_rate: f64,
    /// Offset `eta` in that rule: a satisfied constraint shrinks its multiplier by `1 + alpha log10(eta)` at
    /// most. The default is 0.1 (the paper prints 0.01 and a natural logarithm).
    pub log_offset: f64,
    /// Levenberg-Marquardt damping `gamma`, in the published units: in the units of the residuals it is
    /// `gamma / 2 (mean sqrt(lambda) + mean sqrt(nu) + 1)^2`. The default is 1e-3.
    pub damping: f64,
    /// Largest allowed `|a_j|`, in normalised actions. The default is 1.
    pub action_limit: f64,
    /// Weight `mu` of the inequalities, the penalty parameter of their augmented Lagrangian. The default is 1e4.
    pub inequality_weight: f64,
    /// Accepted value of an inequality. The default is 1e-3.
    pub inequality_tolerance: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            initial_dynamics_multiplier: 1.0,
            initial_action_multiplier: 1.0,
            dynamics_tolerance: 1e-4,
            action_tolerance: 1e-4,
            learning_rate: 0.1,
            log_offset: 0.1,
            damping: 1e-3,
            action_limit: 1.0,
            inequality_weight: 1e4,
            inequality_tolerance: 1e-3,
        }
    }
}

impl Settings {
    /// Checks every field.
    ///
    /// # Errors
    /// The name of the first field outside its range and what it should be.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let positive = [
            (
                "initial_dynamics_multiplier",
                self.initial_dynamics_multiplier,
            ),
            ("initial_action_multiplier", self.initial_action_multiplier),
            ("dynamics_tolerance", self.dynamics_tolerance),
            ("action_tolerance", self.action_tolerance),
            ("log_offset", self.log_offset),
            ("damping", self.damping),
            ("action_limit", self.action_limit),
            ("inequality_weight", self.inequality_weight),
            ("inequality_tolerance", self.inequality_tolerance),
        ];
        for (field, found) in positive {
            if !(found > 0.0 && found.is_finite()) {
                return Err(InvalidSetting {
                    field,
                    found,
                    expected: "a positive number",
                });
            }
        }
        if !(self.learning_rate >= 0.0 && self.learning_rate.is_finite()) {
            return Err(InvalidSetting {
                field: "learning_rate",
                found: self.learning_rate,
                expected: "0 or a positive number",
            });
        }
        let smallest = 1.0 + self.learning_rate * libm::log10(self.log_offset);
        if smallest <= 0.0 {
            return Err(InvalidSetting {
                field: "learning_rate",
                found: self.learning_rate,
                expected: "1 + learning_rate * log10(log_offset) > 0, or multipliers turn negative",
            });
        }
        Ok(())
    }
}

/// A setting outside its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidSetting {
    /// Name of the field.
    pub field: &'static str,
    /// Value of the setting.
    pub found: f64,
    /// Description of the values in range.
    pub expected: &'static str,
}

impl core::fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "solver setting `{}` is {}, expected {}",
            self.field, self.found, self.expected
        )
    }
}

impl core::error::Error for InvalidSetting {}
