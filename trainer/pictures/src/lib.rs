//! Film strips, curves and histograms as PNG pictures
